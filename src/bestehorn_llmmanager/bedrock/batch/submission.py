"""Uploads records, and creates the jobs that process them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.batch.calling import calling
from bestehorn_llmmanager.bedrock.batch.job import BatchJob
from bestehorn_llmmanager.bedrock.batch.output import NOTE_NAME, Note
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import (
    BatchError,
    BatchSubmissionError,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    ConfigurationError,
    LLMManagerError,
)

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.batch.limits import Part
    from bestehorn_llmmanager.bedrock.batch.locations import Location
    from bestehorn_llmmanager.bedrock.batch.settings import JobSettings
    from bestehorn_llmmanager.bedrock.batch.spool import Spool
    from bestehorn_llmmanager.bedrock.batch.storage import Storage

logger = logging.getLogger(__name__)


class Submission:
    """Creates the jobs of one submission. Not to be shared between threads.

    Args:
        settings: What the jobs have in common.
        spool: The records.
        request_ids: The id of the request of each record.
        name: Beginning of the names of the jobs.
        token: Tells submissions apart; also the name of their folders.
        was_used: Whether the token may have been used before.
        media: Folder of the S3 objects that the records refer to, or None.
    """

    def __init__(
        self,
        settings: JobSettings,
        spool: Spool,
        request_ids: list[str],
        *,
        name: str,
        token: str,
        was_used: bool,
        media: Location | None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._request_ids = request_ids
        self._name = name
        self._token = token
        self._was_used = was_used
        self._media = media
        self._arns: list[str] = []

    def create(self, jobs: list[list[Part]]) -> BatchJob:
        """Upload the files of a job and create it, one job after the other.

        Raises:
            BatchSubmissionError: Not all could be created; `job` has those that run.
            ConfigurationError: The token was used for other requests, or the media folder has
                other input.
            AuthenticationError: There are no credentials that AWS accepts.
        """
        try:
            with self._settings.storage() as storage:
                if self._media:
                    self._check_media_folder(storage, self._media, len(jobs[0]))
                for number, files in enumerate(jobs, 1):
                    self._arns.append(self._create(storage, number, files))
        except LLMManagerError as error:
            if not self._arns and not isinstance(error, BatchError):
                raise
            raise self._failure(len(jobs), error) from error
        except KeyboardInterrupt:
            logger.warning(
                "jobs=%s token=%s | interrupted; these jobs were created, and run",
                self._arns,
                self._token,
            )
            raise
        return self._job()

    def _failure(self, count: int, error: LLMManagerError) -> BatchSubmissionError:
        runs = "`job` has those that run. " if self._arns else ""
        return BatchSubmissionError(
            f"{len(self._arns)} of {count} jobs were created. {error.message} {runs}`submit` of "
            f"the same requests with `client_request_token={self._token!r}` creates the rest.",
            self._job() if self._arns else None,
            self._token,
        )

    def _job(self) -> BatchJob:
        return BatchJob(self._arns, self._settings.auth)

    def _create(self, storage: Storage, number: int, files: list[Part]) -> str:
        folder = f"{self._token}/{number:04}/"
        output = self._settings.output / folder
        places = self._places(self._settings.input / f"{folder}input/", len(files))
        note = self._note(files)
        known = Note.from_dict(storage.read_json(output / NOTE_NAME)) if self._was_used else None
        if known is None:
            for place, part in zip(places, files, strict=True):
                storage.upload(self._spool.content(part), place)
            storage.write_json(note.to_dict(), output / NOTE_NAME)
        elif known != note:
            raise ConfigurationError(
                f"`client_request_token` {self._token!r} was used for other requests: use another "
                "one. Ids that are made up are others each time: give requests ids of their own."
            )
        return self._create_job(number, self._input_uri(places), str(output))

    def _create_job(self, number: int, input_uri: str, output_uri: str) -> str:
        settings, region = self._settings, self._settings.target.region
        client = settings.auth.get_bedrock_control_client(region)
        with calling(f"Job number {number} cannot be created", region):
            answer = client.create_model_invocation_job(
                jobName=f"{self._name}-{self._token[-20:].lstrip('-')}-{number:04}",
                clientRequestToken=f"{self._token}-{number:04}",
                modelId=settings.model_id,
                modelInvocationType="Converse",
                **settings.places(input_uri, output_uri),
                **settings.members,
            )
        arn: str = answer["jobArn"]
        return arn

    def _places(self, folder: Location, count: int) -> list[Location]:
        numbers = range(1, count + 1)
        if self._media:
            return [self._media / f"{self._token}-{number:04}.jsonl" for number in numbers]
        return [folder / f"part-{number:04}.jsonl" for number in numbers]

    def _input_uri(self, places: list[Location]) -> str:
        if self._media:
            return str(self._media / "")
        # A single file, as in AWS's own examples, needs fewer permissions than a folder.
        return str(places[0] if len(places) == 1 else places[0].folder)

    def _note(self, files: list[Part]) -> Note:
        target = self._settings.target
        return Note(
            model=target.model,
            access_method=target.ways[0].method,
            first=files[0].first + 1,
            request_ids=self._request_ids[files[0].first : files[-1].last],
            digest=self._spool.digest,
        )

    def _check_media_folder(self, storage: Storage, folder: Location, count: int) -> None:
        own = self._places(folder, count)
        others = [file for file in storage.files(folder / "", ".jsonl") if file not in own]
        if others:
            raise ConfigurationError(
                f"`media_folder` has {len(others)} other .jsonl files, such as {str(others[0])!r}: "
                "the job would take them for input. Use another folder, or delete them."
            )
