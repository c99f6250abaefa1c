"""Every value that identity compares, in one comparable form. Pure functions over one value or a batch of distinct values
(`identity.folding` applies them to columns); they know no table.

| value | rule |
|---|---|
| names | `identity.names`: 企业名称登记管理规定; script by OpenCC, width by NFKC |
| codes | `identity.codes`: GB 32100-2015, GB 11714-1997, GS15-2006, 国家税务总局公告2015年第57号; a reason class each |
| telephone, address, contact | `identity.contacts`: 电信网编号计划, GB/T 23705 |
"""

from identity.codes import USCC_ALPHABET, Code, CodeClass, licence_no, org_code, taxpayer_id, uscc
from identity.contacts import Address, address, addresses, contact, phone
from identity.names import Name, name, names

__all__ = [
    "USCC_ALPHABET",
    "Address",
    "Code",
    "CodeClass",
    "Name",
    "address",
    "addresses",
    "contact",
    "licence_no",
    "name",
    "names",
    "org_code",
    "phone",
    "taxpayer_id",
    "uscc",
]
