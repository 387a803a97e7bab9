locals {
  # What every function is told. tests/unit/test_terraform.py holds the names against shared/settings.py.
  environment = merge(
    {
      FUNCTION_USE_ASGI             = "true"
      SLUICE_DATA_DIR               = "/tmp/sluice"
      SLUICE_DOCUMENTS              = "firestore"
      SLUICE_FIRESTORE_DATABASE     = google_firestore_database.this.name
      SLUICE_GOOGLE_PROJECT         = var.project
      SLUICE_GOOGLE_LOCATION        = var.region
      SLUICE_QUEUE                  = "cloudtasks"
      SLUICE_QUEUE_PREFIX           = var.name
      SLUICE_QUEUE_POOL             = tostring(var.queue_pool)
      SLUICE_FUNCTION_TIMEOUT       = tostring(max(values(local.triggered.queue)[*].timeout_seconds...))
      SLUICE_CALLER_SERVICE_ACCOUNT = google_service_account.queue.email
      SLUICE_ALLOWED_CALLERS        = google_service_account.timer.email
      SLUICE_EVENT_SERVICE_ACCOUNTS = google_service_account.push.email
      SLUICE_HOSTNAME               = var.hostname != "" ? var.hostname : local.urls.api
      # A function streams at most 10 MB; a range without an end is answered with less, and browsers ask on.
      SLUICE_MEDIA_MAX_RANGE_BYTES = tostring(8 * 1024 * 1024)
    },
    # Where the functions are that the platform's services call, with tokens for just this address.
    {
      for target, function in local.functions :
      "SLUICE_${upper(target)}_URL" => local.urls[target] if function.trigger != "public"
    },
    length(var.sns_topics) > 0 ? { SLUICE_SNS_TOPICS = join(",", var.sns_topics) } : {},
    var.aws_web_identity_role_arn != "" ? { SLUICE_AWS_WEB_IDENTITY_ROLE_ARN = var.aws_web_identity_role_arn } : {},
    var.azure_google_identity ? { SLUICE_AZURE_GOOGLE_IDENTITY = "true" } : {},
    var.settings,
  )

  callers = {
    public = var.public_invokers
    queue  = [google_service_account.queue.member]
    timer  = [google_service_account.timer.member]
    pubsub = [google_service_account.push.member]
  }
}

# As whom each function runs. They are there before the functions, so that other clouds can be told of them first.
resource "google_service_account" "function" {
  for_each = local.functions

  project      = var.project
  account_id   = local.names[each.key]
  display_name = "Sluice: ${each.key}"
  description  = each.value.description

  depends_on = [google_project_service.this]
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  project     = var.project
  region      = var.region
  name        = local.names[each.key]
  target      = each.key
  description = each.value.description
  labels      = local.labels

  service_account_email = google_service_account.function[each.key].email

  runtime               = var.runtime
  source_bucket         = google_storage_bucket.source.name
  source_object         = google_storage_bucket_object.source.name
  build_service_account = google_service_account.build.id
  docker_repository     = google_artifact_registry_repository.images.id

  memory          = coalesce(try(var.sizes[each.key].memory, null), each.value.memory)
  cpu             = coalesce(try(var.sizes[each.key].cpu, null), each.value.cpu)
  concurrency     = coalesce(try(var.sizes[each.key].concurrency, null), each.value.concurrency)
  min_instances   = coalesce(try(var.sizes[each.key].min_instances, null), 0)
  max_instances   = coalesce(try(var.sizes[each.key].max_instances, null), each.value.max_instances)
  timeout_seconds = each.value.timeout_seconds

  environment = merge(
    local.environment,
    # Cloud Run lets in only who may invoke, and takes the signature off the token that it checked.
    each.value.trigger != "public" ? { SLUICE_PLATFORM_CHECKS_CALLERS = "true" } : {},
  )
  secrets = {
    for key, secret in local.secrets :
    secret.variable => google_secret_manager_secret.this[key].secret_id if contains(secret.readers, each.key)
  }

  invokers = local.callers[each.value.trigger]
  # The project's own queues, timer and subscriptions count as internal.
  ingress = each.value.trigger == "public" ? var.ingress : "ALLOW_INTERNAL_ONLY"

  depends_on = [
    # A revision does not start without its secrets, and a query fails without its index.
    google_secret_manager_secret_version.secret_key,
    google_secret_manager_secret_version.token,
    google_secret_manager_secret_version.notice_secrets,
    google_firestore_index.this,
    google_firestore_field.this,
    # What a function may do is settled before it is called.
    google_cloud_tasks_queue_iam_member.enqueuer,
    google_cloud_tasks_queue_iam_member.viewer,
    google_project_iam_member.documents,
    google_service_account_iam_member.acts_as_queue,
    google_service_account_iam_member.signs,
    google_artifact_registry_repository_iam_member.build_images,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_staging,
    google_storage_bucket_iam_member.build_source,
  ]
}

resource "google_project_iam_member" "documents" {
  for_each = local.needing.documents

  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.function[each.value].member

  condition {
    title       = "only_the_database_of_${replace(var.name, "-", "_")}"
    description = "Not the other databases of the project"
    expression  = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.this.name}\""
  }
}

# Signed URLs of media, without a key file: the function signs as itself.
resource "google_service_account_iam_member" "signs" {
  for_each = local.needing.sign_urls

  service_account_id = google_service_account.function[each.value].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.function[each.value].member
}

module "bucket_access" {
  source   = "./modules/bucket-access-gcs"
  for_each = setunion(var.read_buckets, var.write_buckets)

  bucket  = each.value
  readers = { for target in local.needing.read_buckets : target => google_service_account.function[target].member }
  writers = contains(var.write_buckets, each.value) ? { for target in local.needing.write_buckets : target => google_service_account.function[target].member } : {}
}

# Were the functions somewhere else than said, nothing could call them: better to learn it now.
check "urls" {
  data "google_cloud_run_v2_service" "api" {
    project  = var.project
    location = var.region
    name     = module.function["api"].name

    depends_on = [module.function]
  }

  assert {
    condition     = contains(data.google_cloud_run_v2_service.api.urls, local.urls.api)
    error_message = "The API's function is not at ${local.urls.api}, which the other functions are told. Its addresses: ${join(", ", data.google_cloud_run_v2_service.api.urls)}."
  }
}
