"""No vendor's SDK is loaded before a bucket of its kind is used."""

import subprocess
import sys

CODE = """
import sys
import shared.adapters.objects.opening
from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.redis import RedisObjects
GcsObjects("b"), AzureObjects("c"), RedisObjects()
print(sorted({"google.auth", "azure.storage.blob", "azure.core", "redis", "boto3", "obstore"} & set(sys.modules)))
"""


def test_sdks_are_loaded_at_their_first_use():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_what_buckets_notify_needs_none_of_them():
    """Nor what verifies tokens: a function that a provider waits for starts soon."""
    code = "import sys, functions.bucket_event, functions.bucket_webhook\nprint(sorted({SDKS} & set(sys.modules)))"
    sdks = {"google.auth", "azure.core", "redis", "boto3", "botocore", "obstore", "grpc", "jwt"}
    command = [sys.executable, "-c", code.replace("{SDKS}", repr(sdks))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_a_server_that_is_a_google_service_account_starts_as_soon():
    code = """
import sys
from shared.adapters.objects.opening import Stores
from shared.settings import Settings
Stores(Settings(aws_web_identity_role_arn="arn:aws:iam::123456789012:role/x", azure_google_identity=True)).close()
print(sorted({"urllib3", "google.auth", "jwt", "botocore"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
