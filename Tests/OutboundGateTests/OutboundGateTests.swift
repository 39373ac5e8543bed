import ServiceRuntime
import Testing
import TrustedProxies

@testable import OutboundGate

@Suite struct AddressGateTests {
  @Test(arguments: [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
  ])
  func `A special IPv4 address is refused`(address: String) { #expect(!AddressGate().allows(address)) }

  @Test(arguments: [
    "::", "::1", "::7f00:1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::",
    "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "4000::1",
  ])
  func `A special IPv6 address is refused`(address: String) { #expect(!AddressGate().allows(address)) }

  @Test(arguments: [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255",
    "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111",
    "2a00:1450:4001:830::200e", "2001:4860:4860::8888",
  ])
  func `A public address is allowed, also beside the special ones`(address: String) { #expect(AddressGate().allows(address)) }

  @Test(arguments: ["", "localhost", "example.org", "1.2.3", "0x7f.0.0.1", "2130706433", "8.8.8.8 ", "2a00::1%eth0", "[2a00::1]"])
  func `What is no address is refused`(text: String) { #expect(!AddressGate().allows(text)) }

  @Test func `The configuration can allow networks, and those alone`() {
    let gate = AddressGate(allowed: NetworkList("10.1.0.0/16, fd12::/16, 127.0.0.1"))
    for address in ["10.1.2.3", "fd12::7", "127.0.0.1", "8.8.8.8"] { #expect(gate.allows(address)) }
    for address in ["10.2.0.1", "fd13::7", "127.0.0.2", "169.254.169.254"] { #expect(!gate.allows(address)) }
  }
}

@Suite struct OutboundURLTests {
  private let gate = OutboundGate()

  @Test(arguments: [
    ("https://example.org", "https://example.org/"), ("HTTPS://Example.ORG:8443/a/B?c=D%20", "https://example.org:8443/a/B?c=D%20"),
    ("https://example.org?x=1", "https://example.org/?x=1"), ("https://8.8.8.8/hook", "https://8.8.8.8/hook"),
    ("https://[2606:4700:4700::1111]:444/", "https://[2606:4700:4700::1111]:444/"),
    ("https://a_b.xn--bcher-kva.example/", "https://a_b.xn--bcher-kva.example/"),
  ])
  func `A URL is taken, with its scheme and host in lower case`(text: String, taken: String) throws {
    #expect(try gate.admit(text).text == taken)
  }

  @Test(arguments: [
    "", "example.org", "ftp://example.org", "file:///etc/passwd", "https:/example.org", "https://", "https:///path", "javascript:alert(1)",
    "https://user@example.org/", "https://user:secret@example.org/", "https://example.org\\@127.0.0.1/", "https://example.org#fragment",
    "https://example.org:0/", "https://example.org:65536/", "https://example.org:/", "https://example.org:8a/", "https://exa mple.org/",
    "https://bücher.example/", "https://example.org/\u{0}", "https://example.org/\r\nHost: x", "https://2130706433/", "https://0x7f000001/",
    "https://127.1/", "https://0177.0.0.1/", "https://017700000001/", "https://1.2.3.4.5/", "https://-a.org/", "https://a..org/",
    "https://example.org./",
    "https://[::1/", "https://[::1]x/", "https://[example.org]/", "https://[fe80::1%25eth0]/", "https://[::ffff:8.8.8.8]/",
    "https://127.0.0.1/", "https://10.0.0.1:8443/", "https://169.254.169.254/latest/meta-data", "https://[::1]/",
    "https://[fd00:ec2::254]/",
    "https://localhost/", "https://LOCALHOST:8080/", "https://a.localhost/", "http://example.org/",
  ])
  func `Anything else is refused`(text: String) { #expect(throws: OutboundRefusal.self) { try gate.admit(text) } }

  @Test func `A URL is of bounded length`() {
    let base = "https://example.org/"
    #expect(throws: Never.self) { try gate.admit(base + String(repeating: "a", count: 2048 - base.count)) }
    #expect(throws: OutboundRefusal.self) { try gate.admit(base + String(repeating: "a", count: 2049 - base.count)) }
  }

  @Test func `The configuration can allow http and this machine`() throws {
    let values = ConfigurationValues(
      try ConfigurationSources(
        options: [:],
        environment: ["MARTLET_WEBHOOKS_ALLOW_HTTP": "true", "MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"]))
    let gate = try OutboundGate(reading: values)
    #expect(try gate.admit("http://localhost:9000/hook").port == 9000)
    #expect(try gate.admit("http://127.0.0.1/").text == "http://127.0.0.1/")
    #expect(throws: OutboundRefusal.self) { try gate.admit("http://10.0.0.1/") }
    #expect(throws: ConfigurationError.self) {
      try OutboundGate(
        reading: ConfigurationValues(
          try ConfigurationSources(options: [:], environment: ["MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "example.org"])))
    }
  }
}
