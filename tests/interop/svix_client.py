"""The official Svix client for Python against `serve --as-svix`, unchanged.

Not part of `cargo test`, because it needs a package from PyPI; `.ci/run` runs it. By hand:

    python3 -m venv VENV && VENV/bin/pip install svix==2.9.1
    reeltop serve --addr 127.0.0.1:18080 --api-key k --as-svix me --simulate 60 --time-scale 60
    VENV/bin/python tests/interop/svix_client.py http://127.0.0.1:18080 k me

It makes, changes and reads an endpoint, lists messages page by page, reads attempts by message and
endpoint, resends one, recovers an endpoint, rotates a secret, verifies a delivered request with the
client's own verifier, and checks that errors arrive as the client's own exceptions. What a test of
ours reads from this server is so told from what Svix's own client expects of one. Ends with 0 if
all of it works.
"""

import datetime
import http.server
import sys
import threading
import time

# This folder must not be searched first.
sys.path.pop(0)

from svix.api import (
    ApplicationIn,
    EndpointIn,
    EndpointListOptions,
    EndpointPatch,
    EndpointSecretRotateIn,
    EventExampleIn,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
    MessageListOptions,
    RecoverIn,
    Svix,
    SvixOptions,
)
from svix.exceptions import HttpError, HTTPValidationError
from svix.webhooks import Webhook, WebhookVerificationError

PATIENCE = 60


def until(what, look):
    """Waits for a condition; fails after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


def refused(status, call):
    try:
        call()
    except (HttpError, HTTPValidationError) as error:
        assert error.status_code == status, (error.status_code, status)
        return error
    raise AssertionError(f"{status} was expected")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps each request, and answers 500 while it is told to."""

    seen = []
    status = 500

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Receiver.seen.append((dict(self.headers), body))
        self.send_response(Receiver.status)
        self.end_headers()

    def log_message(self, *_):
        pass


def main(url, token, app):
    svix = Svix(token, SvixOptions(server_url=url))
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{receiver.server_port}/hook"

    made = svix.application.get_or_create(ApplicationIn(name=app, uid=app))
    assert svix.application.get(app) == made, "the application reads as it was made"
    print("app     ", made.uid)
    made = svix.endpoint.create(
        app, EndpointIn(url=here, description="interop", event_types=["task.completed", "task.failed"])
    )
    patched = svix.endpoint.patch(app, made.id, EndpointPatch(description="changed"))
    assert patched.description == "changed" and patched.url == here, patched
    assert sorted(patched.event_types) == ["task.completed", "task.failed"], patched
    listed = svix.endpoint.list(app, EndpointListOptions(limit=250)).data
    assert made.id in [endpoint.id for endpoint in listed]
    old_secret = svix.endpoint.get_secret(app, made.id).key
    print("endpoint", made.id, "of", len(listed))

    def first_failure():
        options = MessageAttemptListByEndpointOptions(limit=50)
        rows = svix.message_attempt.list_by_endpoint(app, made.id, options).data
        return next((row for row in rows if row.status.value == 2), None)

    failed = until("a failed attempt", first_failure)
    assert failed.response_status_code == 500 and failed.endpoint_id == made.id, failed
    headers, body = until("a request", lambda: Receiver.seen and Receiver.seen[0])
    Webhook(old_secret).verify(body, headers)
    try:
        Webhook(old_secret).verify(body + b" ", headers)
        raise AssertionError("an altered body was verified")
    except WebhookVerificationError:
        pass
    print("attempt ", failed.id, "refused as told, its request verified")

    pages, iterator = [], None
    while True:
        page = svix.message.list(app, MessageListOptions(limit=2, iterator=iterator))
        pages.append([message.id for message in page.data])
        if page.done or len(pages) == 3:
            break
        iterator = page.iterator
    ids = [id for page in pages for id in page]
    assert len(ids) == len(set(ids)), "a message came on two pages"
    message = svix.message.get(app, failed.msg_id)
    assert message.event_type in ("task.completed", "task.failed") and message.payload, message
    print("messages", len(ids), "on", len(pages), "pages")

    Receiver.status = 204
    svix.message_attempt.resend(app, failed.msg_id, made.id)

    def delivered():
        options = MessageAttemptListByMsgOptions(endpoint_id=made.id)
        rows = svix.message_attempt.list_by_msg(app, failed.msg_id, options).data
        return next((row for row in rows if row.trigger_type.value == 1 and row.status.value == 0), None)

    manual = until("the resent attempt", delivered)
    assert manual.response_status_code == 204, manual
    assert svix.message_attempt.get(app, failed.msg_id, manual.id).id == manual.id
    places = svix.message_attempt.list_attempted_destinations(app, failed.msg_id).data
    assert made.id in [place.id for place in places]
    print("resent  ", manual.id)

    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    task = svix.endpoint.recover(app, made.id, RecoverIn(since=since))
    print("recover ", task.id, task.status.value)
    stats = svix.endpoint.get_stats(app, made.id)
    assert stats.success >= 1 and stats.fail >= 1, stats

    svix.endpoint.rotate_secret(app, made.id, EndpointSecretRotateIn())
    new_secret = svix.endpoint.get_secret(app, made.id).key
    assert new_secret != old_secret
    example = svix.endpoint.send_example(app, made.id, EventExampleIn(event_type="task.completed"))

    def of_example():
        return next((seen for seen in Receiver.seen if seen[0].get("svix-id") == example.id), None)

    headers, body = until("the example", of_example)
    # Old and new sign for a while.
    for secret in (old_secret, new_secret):
        Webhook(secret).verify(body, headers)
    print("rotated ", "both secrets verify", example.id)

    refused(404, lambda: svix.message_attempt.resend(app, "msg_nothing", made.id))
    refused(422, lambda: svix.endpoint.create(app, EndpointIn(url="ftp://x")))
    refused(401, lambda: Svix("no", SvixOptions(server_url=url)).endpoint.list(app))
    svix.endpoint.delete(app, made.id)
    refused(404, lambda: svix.endpoint.get(app, made.id))
    receiver.shutdown()
    print("errors   as the client's own")


main(*sys.argv[1:4])
