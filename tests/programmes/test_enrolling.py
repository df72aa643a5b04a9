"""Enrolling: a registered customer becomes a member once, with two wallets of their own."""

from loyalty import customers, programmes
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from tests.servers import Database


def test_enrolling_twice_gives_the_same_member(database: Database) -> None:
    with transaction() as session:
        programme = programmes.open_programme(session, "p", name_zh="样例", name_en="Sample")
        customers.register(session, [NewCustomer(reference="00001")])
        first = programmes.find_or_enrol(session, programme, ["00001", "unknown"])
        again = programmes.find_or_enrol(session, programme, ["00001"])
    assert list(first) == ["00001"]
    assert again == first
    assert first["00001"].points_wallet != first["00001"].status_wallet
