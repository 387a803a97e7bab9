"""Which addresses are the internet's."""

import pytest

from shared.adapters.receivers import public

PRIVATE = """
127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 224.0.1.1 239.255.255.255
240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1:: 2002:a9fe:a9fe:: 2001::1 2001:db8::1
fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1
"""
PUBLIC = """93.184.216.34 8.8.8.8 172.32.0.1 100.128.0.1 2606:2800:220:1::1 64:ff9b::5db8:d822 ::ffff:8.8.8.8
2002:808:808::"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private(address: str):
    assert not public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public(address: str):
    assert public(address)
