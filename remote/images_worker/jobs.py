"""What the agent does with one request: fetch, have it worked, store, and only then answer."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from images_worker.gallery import Gallery
from images_worker.names import PictureName, read_name
from images_worker.operations import DEFAULT, read_operation
from images_worker.refusals import Refused
from images_worker.studio import SOURCE, TARGET
from images_worker.studios import Studios
from job_runtime import Job, Outcome, done, failed

_FOLDER = "job-"


class PictureJobs:
    """Works requests in several threads at once, each in a private folder below the worker's."""

    def __init__(self, gallery: Gallery, studios: Studios, folder: Path) -> None:
        self._gallery = gallery
        self._studios = studios
        self._folder = folder

    def remove_leftovers(self) -> None:
        """Remove the folders of jobs that a killed worker left."""
        for left in self._folder.glob(f"{_FOLDER}*"):
            shutil.rmtree(left)

    def handle(self, job: Job) -> Outcome:
        """Answer the name of the picture once its result is stored, or `?Error. <reason>`.

        The body is the name; the attribute `op` is the operation.
        """
        try:
            name = read_name(job.body)
            operation = read_operation(job.attributes.get("op", DEFAULT))
            self._process(name, operation)
        except Refused as refusal:
            return failed(f"?Error. {refusal}")
        except ClientError as error:
            code = re.sub("[^A-Za-z0-9]", "", str(error.response["Error"].get("Code")))
            return failed(f"?Error. the bucket refuses: {code[:80]}")
        except BotoCoreError as error:
            return failed(f"?Error. the bucket cannot be used: {type(error).__name__}")
        except OSError:
            return failed("?Error. the worker cannot keep the picture on its disk")
        return done(name.text)

    def _process(self, name: PictureName, operation: str) -> None:
        with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=self._folder) as private:
            folder = Path(private)
            self._gallery.fetch(name, folder / SOURCE)
            self._studios.develop(folder, operation, name.format)
            self._gallery.store(folder / TARGET, name)
