"""Imports for the bank's systems and head office: open, send the file, look, apply, follow."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Blueprint, Response
from sqlalchemy import Row
from sqlalchemy.orm import Session

from loyalty import audit, outbox, programmes
from loyalty.database import transaction
from loyalty.points import intake
from loyalty.points.files import BadFile
from loyalty.points.import_schemas import (
    ImportSchema,
    ImportsPageSchema,
    NewImportSchema,
    dump_import,
)
from loyalty.web import (
    Access,
    Answer,
    Caller,
    Kind,
    NotFound,
    Refused,
    cursors,
    endpoint,
    ids,
    page,
)

blueprint = Blueprint("imports", __name__)

LARGEST_FILE = 64 * 1024 * 1024
FAULTS_AT_ONCE = 5000
BOM = "\ufeff"
_LIST = "imports"
_ACCESS = Access.staff("head_office", or_system="imports:write")


@endpoint(
    blueprint,
    "POST",
    "/v1/imports",
    access=_ACCESS,
    body=NewImportSchema,
    answer=ImportSchema,
    status=201,
    idempotent=True,
    summary=("新建导入", "Open an import"),
    problems=("invalid-layout", "programme-needed", "not-found"),
)
def post_import(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Open an import; its file is sent next."""
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    import_id = intake.open_import(
        session,
        programme,
        source=_source(caller, body["source"]),
        layout=body["layout"],
        register_unknown=body["register_unknown"],
        created_by=caller.id,
    )
    audit.record(session, caller, "import.opened", "import", import_id)
    return dump_import(intake.find_import(session, import_id))


@endpoint(
    blueprint,
    "PUT",
    "/v1/imports/{import_id}/file",
    access=_ACCESS,
    answer=ImportSchema,
    upload=True,
    limit=LARGEST_FILE,
    not_idempotent="an import takes one file, and a second one is refused",
    summary=("上传文件并校验", "Send the file of an import and see what it holds"),
    problems=("already-staged", "unusable-file", "invalid-query"),
)
def put_file(session: Session, caller: Caller, import_id: int, upload: Path) -> dict[str, Any]:
    """Read a CSV file or an XLSX workbook row by row; nothing of it counts yet."""
    _find(session, caller, import_id)
    try:
        staged = intake.stage(session, import_id, upload)
    except BadFile as bad:
        raise intake.refuse(bad) from None
    detail = {"rows": staged.total, "faulty": staged.faulty}
    audit.record(session, caller, "import.staged", "import", import_id, detail)
    return dump_import(staged)


@endpoint(
    blueprint,
    "GET",
    "/v1/imports",
    access=_ACCESS,
    query=cursors.PageQuery,
    answer=ImportsPageSchema,
    reading=True,
    summary=("查看导入列表", "List imports"),
    problems=("invalid-cursor",),
)
def get_imports(session: Session, caller: Caller, query: dict[str, Any]) -> Answer:
    """Answer one page, newest first; a system sees those that it opened itself."""
    position = cursors.read(_LIST, query["cursor"])
    found = intake.list_imports(
        session,
        before=position[0] if position else None,
        limit=query["limit"] + 1,
        opened_by=caller.id if caller.kind == Kind.SYSTEM else None,
    )
    return cursors.page_of(
        _LIST, found, query["limit"], position=lambda row: [row.id], dump=dump_import
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/imports/{import_id}",
    access=_ACCESS,
    answer=ImportSchema,
    summary=("查看导入进度", "See how far an import came"),
)
def get_import(session: Session, caller: Caller, import_id: int) -> dict[str, Any]:
    """Answer what the file holds and what became of its rows so far."""
    return dump_import(_find(session, caller, import_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/imports/{import_id}/apply",
    access=_ACCESS,
    answer=ImportSchema,
    status=202,
    idempotent=True,
    summary=("应用导入", "Apply an import"),
    problems=("not-staged", "import-expired"),
)
def post_apply(session: Session, caller: Caller, import_id: int) -> dict[str, Any]:
    """Record the rows in the background, each once; asked again it changes nothing."""
    _find(session, caller, import_id)
    intake.begin(session, import_id, created_by=caller.id)
    audit.record(session, caller, "import.applied", "import", import_id)
    return dump_import(intake.find_import(session, import_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/imports/{import_id}/stop",
    access=_ACCESS,
    answer=ImportSchema,
    status=202,
    idempotent=True,
    summary=("停止导入", "Stop an import"),
    problems=("not-applied",),
)
def post_stop(session: Session, caller: Caller, import_id: int) -> dict[str, Any]:
    """Stop after the rows under way; what is recorded stays."""
    outbox.stop_run(session, _run_of(session, caller, import_id))
    audit.record(session, caller, "import.stopped", "import", import_id)
    return dump_import(intake.find_import(session, import_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/imports/{import_id}/resume",
    access=_ACCESS,
    answer=ImportSchema,
    status=202,
    idempotent=True,
    summary=("继续导入", "Go on with an import"),
    problems=("not-applied",),
)
def post_resume(session: Session, caller: Caller, import_id: int) -> dict[str, Any]:
    """Go on where a stopped or failed import stood."""
    outbox.resume_run(session, _run_of(session, caller, import_id))
    audit.record(session, caller, "import.resumed", "import", import_id)
    return dump_import(intake.find_import(session, import_id))


@page(
    blueprint,
    "GET",
    "/v1/imports/{import_id}/errors",
    access=_ACCESS,
    media_type="text/csv",
    summary=("下载错误行", "Download the refused rows"),
)
def get_errors(caller: Caller, import_id: int) -> Response:
    """Answer a CSV file: row, column, code and why, for each refused row."""
    with transaction() as session:
        _find(session, caller, import_id)
    name = f"{ids.encode('imp', import_id)}-errors.csv"
    return Response(
        _write_errors(import_id),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _write_errors(import_id: int) -> Iterator[str]:
    # With the mark at its beginning a spreadsheet reads the Chinese words.
    yield BOM + _write_lines([list(intake.ERROR_COLUMNS)])
    after = (0, "")
    while True:
        with transaction() as session:
            faults = intake.list_faults(session, import_id, after, FAULTS_AT_ONCE)
        if not faults:
            return
        yield _write_lines(list(intake.error_lines(faults)))
        after = (faults[-1][0], faults[-1][1])


def _write_lines(lines: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _find(session: Session, caller: Caller, import_id: int) -> Row[Any]:
    """Return an import; a system sees those that it opened itself."""
    found = intake.find_import(session, import_id)
    if caller.kind == Kind.SYSTEM and found.created_by != caller.id:
        raise NotFound
    return found


def _run_of(session: Session, caller: Caller, import_id: int) -> int:
    found = _find(session, caller, import_id)
    if found.run_id is None:
        raise Refused("not-applied")
    return int(found.run_id)


def _source(caller: Caller, wanted: str | None) -> str:
    """Return the name under which references are unique: no system can use up another's."""
    if wanted is None:
        return caller.id
    return f"{caller.id}/{wanted}" if caller.kind == Kind.SYSTEM else wanted
