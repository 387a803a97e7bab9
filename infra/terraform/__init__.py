"""Checks and plans `terraform/` where no provider can be downloaded: stand-in providers answer Terraform."""
