"""The deployed shape on one machine: a process per function, told by environment variables alone where the rest is."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import httpx
from cryptography.fernet import Fernet
from google.cloud.tasks_v2 import CloudTasksClient, Queue, RetryConfig
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from infra.emulators import Running
from infra.emulators.cloud_tasks.oidc import Issuer
from infra.function_process import CHECKOUT, Code, FunctionProcess
from infra.functions import PUBSUB, QUEUED, TIMER, load
from infra.processes import ROOT
from tests.stack import Api

LISTED = load()
PROJECT, LOCATION = "sluice-test", "europe-west1"
QUEUE_ACCOUNT, TIMER_ACCOUNT = (f"{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("queue", "timer"))
TOKEN = "a-token-for-the-deployment-test-0123456789"
POOL = 2
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"


class Deployment:
    """All functions, the queue, and the timer, which is called by the test's own thread.

    With `only`, no other functions run: each takes a second of a core to start.
    """

    def __init__(
        self, folder: Path, firestore: Running, code: Code = CHECKOUT, only: Sequence[str] = (), **env: str
    ) -> None:
        self.folder = folder
        self._only = set(only or LISTED.functions)
        self.key_file = folder / "key.pem"
        self.env = {
            **firestore.env,
            "SLUICE_DOCUMENTS": "firestore",
            "SLUICE_QUEUE": "cloudtasks",
            "SLUICE_GOOGLE_PROJECT": PROJECT,
            "SLUICE_GOOGLE_LOCATION": LOCATION,
            "SLUICE_QUEUE_POOL": str(POOL),
            "SLUICE_CALLER_SERVICE_ACCOUNT": QUEUE_ACCOUNT,
            "SLUICE_ALLOWED_CALLERS": TIMER_ACCOUNT,
            "SLUICE_SECRET_KEY": Fernet.generate_key().decode(),
            "SLUICE_TOKEN": TOKEN,
            "SLUICE_DATA_DIR": str(folder / "data"),
            "SLUICE_MAX_LANES": "4",
            "SLUICE_BATCH_WRITES": "100",  # small steps, so that there is a middle to be killed in
            "STORAGE_IN_PROGRESS_TIMER": "2",
            **env,
        }
        self.functions = {name: FunctionProcess(name, folder / f"{name}.log", code) for name in LISTED.functions}
        self.swept: list[int] = []

    def tell(self, endpoint: str, keys_url: str) -> None:
        """Says to all of them where the queue is, and where the functions are whose callers prove themselves."""
        self.env |= {"SLUICE_CLOUD_TASKS_ENDPOINT": endpoint, "SLUICE_CALLER_KEYS_URL": keys_url}
        for listed in LISTED.called_by(QUEUED, PUBSUB, TIMER):
            self.env[f"SLUICE_{listed.name.upper()}_URL"] = self.functions[listed.name].url
        for function in self.functions.values():
            function.env = self.env

    def start(self) -> None:
        """Starts the processes, in each life on the same ports, and waits until they serve.

        Those that the queue calls come last: so little goes on before a test can look at what was left.
        """
        queued = {listed.name for listed in LISTED.called_by(QUEUED)}
        for names in (self._only - queued, self._only & queued):
            for name in names:
                self.functions[name].start()
            for name in names:
                self.functions[name].wait()

    def sweep(self, issuer: Issuer) -> int:
        """Calls the timer's function as the timer does; the status of its answer."""
        url = self.functions["sweep"].url
        token = issuer.token(TIMER_ACCOUNT, url)
        return httpx.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code

    @contextmanager
    def sweeping(self, seconds: float) -> Iterator[None]:
        """Sweeps again and again while the context is entered."""
        issuer, stop = Issuer(self.key_file), threading.Event()

        def loop() -> None:
            while not stop.wait(seconds):
                self.swept.append(self.sweep(issuer))

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def logs(self) -> str:
        """The end of what every process printed."""
        return "\n".join(f"== {name}\n{self.functions[name].printed()}" for name in sorted(self._only))


@contextmanager
def cloud_tasks_process(folder: Path, key_file: Path) -> Iterator[tuple[str, str]]:
    """The Cloud Tasks server, with the queues of a deployment; its address and the URL of its keys."""
    command = [sys.executable, "-m", "infra.emulators.cloud_tasks", "--data", str(folder), "--key", str(key_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            endpoint, keys_url = (process.stdout.readline().split(" ")[-1].strip() for _ in range(2))
            assert keys_url, "the server did not start"
            create_queues(endpoint)
            yield endpoint, keys_url
        finally:
            process.terminate()
            process.wait(20)


def create_queues(endpoint: str) -> None:
    """What the deployment's infrastructure code does."""
    client = CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(endpoint)))
    retry = RetryConfig(max_attempts=-1, min_backoff=timedelta(seconds=0.2), max_backoff=timedelta(seconds=5))
    for kind in LISTED.queues:
        for number in range(POOL):
            queue = Queue(name=f"{PARENT}/queues/sluice-{kind}-{number}", retry_config=retry)
            client.create_queue(parent=PARENT, queue=queue)
    client.transport.close()


@contextmanager
def deployed(
    folder: Path, firestore: Running, code: Code = CHECKOUT, only: Sequence[str] = (), **env: str
) -> Iterator[tuple[Deployment, Api]]:
    """A deployment of some code that serves, and a client of its API."""
    deployment = Deployment(folder, firestore, code, only, **env)
    with ExitStack() as stack:
        endpoint, keys_url = stack.enter_context(cloud_tasks_process(folder / "queue", deployment.key_file))
        try:
            deployment.tell(endpoint, keys_url)
            deployment.start()
            api = Api(deployment.functions["api"].url, TOKEN)
            stack.callback(api.close)
            yield deployment, api
        finally:
            for function in deployment.functions.values():
                function.end(signal.SIGKILL)


class Functions:
    """A deployment as something that can be killed whole and started again."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._api: Api | None = None

    def start(self) -> Api:
        """Starts every function, again on the same ports, and waits until they serve."""
        self._deployment.start()
        self._api = Api(self._deployment.functions["api"].url, TOKEN)
        return self._api

    def peak_memory(self) -> float:
        """The most memory that the worker ever held, in MB."""
        return self._deployment.functions["sync_chunk"].peak_memory()

    def kill(self) -> None:
        """kill -9 of all of them; queue and documents stay."""
        for function in self._deployment.functions.values():
            function.end(signal.SIGKILL)
        if self._api is not None:
            self._api.close()
            self._api = None


@contextmanager
def functions(folder: Path, firestore: Running, *only: str) -> Iterator[Functions]:
    """The functions of a deployment, not started yet; killed in the end."""
    deployment = Deployment(folder, firestore, only=only, STORAGE_IN_PROGRESS_TIMER="1")
    with cloud_tasks_process(folder / "queue", deployment.key_file) as (endpoint, keys_url):
        deployment.tell(endpoint, keys_url)
        one = Functions(deployment)
        try:
            yield one
        finally:
            one.kill()
