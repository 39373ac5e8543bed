import Testing

@testable import TrustedProxies

@Suite struct TrustedProxiesTests {
  private func client(_ proxies: String, peer: String, _ forwardedFor: String...) throws -> String {
    try #require(TrustedProxies(proxies)).client(peer: peer, forwardedFor: forwardedFor)
  }

  @Test func `A peer that is not trusted is itself the client`() throws {
    #expect(try client("10.0.0.0/8", peer: "192.0.2.1", "203.0.113.9") == "192.0.2.1")
    #expect(TrustedProxies.none.client(peer: "127.0.0.1", forwardedFor: ["203.0.113.9"]) == "127.0.0.1")
  }

  @Test func `The last address that is no proxy is the client, whatever it claims`() throws {
    #expect(try client("127.0.0.1, 10.0.0.0/8", peer: "127.0.0.1", "1.1.1.1, 203.0.113.9", "10.2.3.4") == "203.0.113.9")
    #expect(try client("127.0.0.1", peer: "127.0.0.1") == "127.0.0.1")
    #expect(try client("127.0.0.1", peer: "127.0.0.1", "203.0.113.9, nonsense") == "127.0.0.1")
  }

  @Test func `IPv6 networks, and IPv4 inside IPv6, are compared by their bits`() throws {
    #expect(try client("fd00::/8", peer: "fd12::1", "2001:db8::7") == "2001:db8::7")
    #expect(try client("127.0.0.0/9", peer: "::ffff:127.0.0.1", "2001:db8::7") == "2001:db8::7")
    #expect(try client("127.128.0.0/9", peer: "127.0.0.1", "2001:db8::7") == "127.0.0.1")
  }

  @Test(arguments: ["localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "10.0.0"])
  func `What is no address or network is refused`(text: String) {
    #expect(TrustedProxies(text) == nil)
  }
}
