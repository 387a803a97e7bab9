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
