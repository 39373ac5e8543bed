package import TrustedProxies

/// Which network addresses may be called on behalf of somebody outside: those of the public Internet, and what the configuration allows besides.
///
/// Everything that IANA's special-purpose registries (RFC 6890 and its successors) keep from being an ordinary host's is refused, and so are IPv6
/// addresses that carry an IPv4 address, because a translator on the way would reach that one.
package struct AddressGate: Sendable {
  private let allowed: NetworkList?

  /// - Parameter allowed: networks that may be called whatever they are; nil for none.
  package init(allowed: NetworkList? = nil) { self.allowed = allowed }

  /// - Parameter address: an address as `inet_ntop` writes it. What is no address is refused.
  package func allows(_ address: String) -> Bool {
    guard let bytes = NetworkList.bytes(ofAddress: address) else { return false }
    if allowed?.contains(address) == true { return true }
    // An IPv4 address in the form of an IPv6 one (::ffff:a.b.c.d) is nothing that a name server has to say.
    guard bytes.count == 16 || !address.contains(":") else { return false }
    if bytes.count == 4 { return !Self.refusedIPv4.contains(address) }
    // Only 2000::/3 is handed out. So these are refused with all the rest: unspecified, loopback, IPv4-compatible, NAT64 (64:ff9b::/96,
    // 64:ff9b:1::/48), discard-only, unique local (with fd00:ec2::254, a cloud's metadata), link-local, site-local, multicast.
    return Self.globalIPv6.contains(address) && !Self.refusedIPv6.contains(address)
  }

  private static let refusedIPv4 = known(
    """
    0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.31.196.0/24, \
    192.52.193.0/24, 192.88.99.0/24, 192.168.0.0/16, 192.175.48.0/24, 198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/4, \
    240.0.0.0/4, 168.63.129.16
    """)
  private static let globalIPv6 = known("2000::/3")
  /// Protocol assignments with Teredo, documentation, and 6to4.
  private static let refusedIPv6 = known("2001::/23, 2001:db8::/32, 2002::/16, 2620:4f:8000::/48, 3fff::/20")

  private static func known(_ list: String) -> NetworkList {
    guard let networks = NetworkList(list) else { preconditionFailure("a list of networks in the program has a mistake") }
    return networks
  }
}
