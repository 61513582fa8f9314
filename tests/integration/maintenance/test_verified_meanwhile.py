"""The ledger is verified while its payloads come back from files."""

from building import unguarded
from partitions import fill, time_of

from service.audit.evidence import EvidenceReader
from service.audit.verification import verify_ledger
from service.maintenance.archive import archive_payloads
from service.maintenance.restore import restore_payloads


async def test_payloads_that_are_restored_after_they_were_looked_for_are_not_missing(
    db, connections, dsn, tmp_path, monkeypatch
):
    await fill(db, connections)
    archives = await archive_payloads(dsn, await time_of(db, 21), tmp_path)
    read_archives = EvidenceReader.archives

    async def read_after_restoring(reader):
        if archives:
            archives.clear()
            await restore_payloads(dsn, directory=tmp_path)
        return await read_archives(reader)

    monkeypatch.setattr(EvidenceReader, "archives", read_after_restoring)
    verdict = await verify_ledger(dsn)
    assert not archives, "it has asked for archives, so payloads were missing before"
    assert (verdict.ok, verdict.reason) == (True, None)


async def test_a_payload_that_is_gone_is_missing_however_often_it_is_looked_for(db, connections, dsn):
    await fill(db, connections)
    await unguarded(db, "delete from runfold.payloads where position = 7")
    verdict = await verify_ledger(dsn)
    assert (verdict.ok, verdict.broken_at) == (False, 7)
