"""The official Python client against the embedded server, unchanged.

Not part of `cargo test`, because it needs a package from PyPI. Run it by hand:

    python3 -m venv VENV && VENV/bin/pip install aspect-sdk==0.0.6
    reeltop serve --addr 127.0.0.1:18080 --api-key k --simulate 30 --time-scale 60
    VENV/bin/python tests/interop/aspect_sdk.py http://127.0.0.1:18080 k

It lists the active tasks, reads the user, indexes and assets, creates a task, gets it, waits for
it, and checks that errors arrive as the client's own exceptions. Ends with 0 if all of it works.
"""

import sys
import time

# This file has the package's name: its own folder must not be searched first.
sys.path.pop(0)

from aspect_sdk import Aspect, AspectConfig
from aspect_sdk._generated import CoreFeatureType, TaskCreateRequest
from aspect_sdk._generated.exceptions import (
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)
from aspect_sdk.custom.task_extensions import WaitForDoneOptions

FINAL = {"completed", "failed", "cancelled", "na"}


def expect(exception, call):
    try:
        call()
    except exception as error:
        return error
    raise AssertionError(f"{exception.__name__} was expected")


def main(url, key):
    aspect = Aspect(AspectConfig(api_key=key, base_url=url))

    user = aspect.users.me()
    print("user    ", user.id, user.email)
    index = aspect.indexes.get_all()[0]
    assets = aspect.assets.get_all(index.id)
    print("index   ", index.id, index.name, "with", len(assets), "assets")
    speech = next(a for a in assets if a.type.value in ("video", "audio"))
    assert aspect.assets.get(speech.id).name == speech.name

    request = TaskCreateRequest(asset_id=speech.id, features=[CoreFeatureType.TRANSCRIPTION])
    task_id = aspect.tasks.create(request).task_id
    task = aspect.tasks.get(task_id)
    assert task.asset_id == speech.id and task.user_id == user.id, task
    # The wrapper has no name for this route; the generated client below it does.
    active = aspect.tasks._api.get_tasks_tasks_active()
    print("active  ", len(active), "tasks")
    assert any(t.id == task_id for t in active), "a fresh task is active"

    states = []
    started = time.monotonic()
    done = aspect.tasks.wait_for_done(
        task_id,
        WaitForDoneOptions(
            interval=0.1,
            callback=lambda t: states.append(t.features["transcription"].state.value),
        ),
    )
    waited = time.monotonic() - started
    print(f"waited   {waited:.1f} s:", " ".join(dict.fromkeys(states)))
    assert done.features["transcription"].state.value in FINAL, done
    assert done.updated >= done.created

    expect(NotFoundException, lambda: aspect.tasks.get("no-such-task"))
    missing = TaskCreateRequest(asset_id="no-such-asset", features=[CoreFeatureType.VISUAL])
    expect(NotFoundException, lambda: aspect.tasks.create(missing))
    empty = TaskCreateRequest(asset_id=speech.id, features=[])
    expect(UnprocessableEntityException, lambda: aspect.tasks.create(empty))
    stranger = Aspect(AspectConfig(api_key="wrong", base_url=url))
    expect(UnauthorizedException, lambda: stranger.users.me())
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:3])
