data "google_project" "this" {
  project_id = var.project
}

locals {
  # What is deployed stands in one list, which the local stack and the tests read too.
  deployed  = jsondecode(file("${path.module}/../infra/functions.json"))
  functions = local.deployed.functions
  indexes   = jsondecode(file("${path.module}/../infra/firestore.indexes.json"))

  # One name everywhere; where underscores are not allowed, hyphens stand for them.
  names  = { for target in keys(local.functions) : target => "${var.name}-${replace(target, "_", "-")}" }
  labels = merge(var.labels, { app = var.name })

  # Known before the functions are there, so each can be told where the others are, and whom its own callers' tokens
  # must be for.
  urls = {
    for target, name in local.names :
    target => "https://${name}-${data.google_project.this.number}.${var.region}.run.app"
  }

  # Which functions need what, turned around.
  needing = {
    for need in distinct(flatten(values(local.functions)[*].needs)) :
    need => toset([for target, function in local.functions : target if contains(function.needs, need)])
  }
  triggered = {
    for trigger in ["queue", "timer"] :
    trigger => { for target, function in local.functions : target => function if function.trigger == trigger }
  }

  queues = {
    for pair in setproduct(keys(local.deployed.queues), range(var.queue_pool)) :
    "${var.name}-${pair[0]}-${pair[1]}" => local.deployed.queues[pair[0]]
  }

  # Google's own account that works for Pub/Sub in this project.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
