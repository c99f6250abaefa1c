"""The WSDL of the group system: document/literal wrapped, two operations of one shape."""

from __future__ import annotations

NAMESPACE = "http://eoms.bss/group"
PARAMETERS = ("serSupplier", "serCaller", "callerPwd", "callTime", "opDetail")
ANSWERS = ("result", "opDetail")
PATH = "services/GroupCustomerService"


def wsdl(address: str, operations: tuple[str, ...]) -> str:
    """`address` is the URL of the province's service, as the client reaches it."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions name="GroupCustomerService" targetNamespace="{NAMESPACE}" xmlns:tns="{NAMESPACE}"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <wsdl:types>
    <xsd:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
{"".join(_element(name, PARAMETERS) + _element(name + "Response", ANSWERS) for name in operations)}    </xsd:schema>
  </wsdl:types>
{"".join(_messages(name) for name in operations)}  <wsdl:portType name="GroupCustomerPortType">
{"".join(_port_operation(name) for name in operations)}  </wsdl:portType>
  <wsdl:binding name="GroupCustomerBinding" type="tns:GroupCustomerPortType">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
{"".join(_binding_operation(name) for name in operations)}  </wsdl:binding>
  <wsdl:service name="GroupCustomerService">
    <wsdl:port name="GroupCustomerPort" binding="tns:GroupCustomerBinding"><soap:address location="{address}"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""


def _element(name: str, parts: tuple[str, ...]) -> str:
    inner = "".join(f'<xsd:element name="{part}" type="xsd:string"/>' for part in parts)
    wrapped = f"<xsd:complexType><xsd:sequence>{inner}</xsd:sequence></xsd:complexType>"
    return f'      <xsd:element name="{name}">{wrapped}</xsd:element>\n'


def _messages(name: str) -> str:
    return (
        f'  <wsdl:message name="{name}Request"><wsdl:part name="parameters" element="tns:{name}"/></wsdl:message>\n'
        f'  <wsdl:message name="{name}Answer"><wsdl:part name="parameters" element="tns:{name}Response"/></wsdl:message>\n'
    )


def _port_operation(name: str) -> str:
    ends = f'<wsdl:input message="tns:{name}Request"/><wsdl:output message="tns:{name}Answer"/>'
    return f'    <wsdl:operation name="{name}">{ends}</wsdl:operation>\n'


def _binding_operation(name: str) -> str:
    ends = '<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>'
    return f'    <wsdl:operation name="{name}"><soap:operation soapAction=""/>{ends}</wsdl:operation>\n'
