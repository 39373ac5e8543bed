internal import Glibc
package import ServiceRuntime
internal import TrustedProxies

/// What may be called on behalf of somebody outside. One decision for whoever takes a URL in, and for whoever calls it.
package struct OutboundGate: Sendable {
  package static let variables: [ConfigurationVariable] = [.webhooksAllowHTTP, .webhooksAllowedNetworks]

  package let addresses: AddressGate
  /// Whether `http://` is taken too.
  package let allowsHTTP: Bool

  package init(addresses: AddressGate = AddressGate(), allowsHTTP: Bool = false) {
    (self.addresses, self.allowsHTTP) = (addresses, allowsHTTP)
  }

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    guard let allowed = NetworkList(values.optionalString(.webhooksAllowedNetworks) ?? "") else {
      throw values.invalid(.webhooksAllowedNetworks, wants: "addresses or networks like 10.1.2.3, 10.2.0.0/16, fd12::/16")
    }
    self.init(addresses: AddressGate(allowed: allowed), allowsHTTP: try values.boolean(.webhooksAllowHTTP))
  }

  /// Reads a URL and checks all that can be checked without asking a name server. A name's addresses are checked whenever it is called.
  ///
  /// - Throws: `OutboundRefusal`, a clause that says what is wanted.
  package func admit(_ text: String) throws(OutboundRefusal) -> OutboundURL {
    let url = try OutboundURL(text)
    guard url.isTLS || allowsHTTP else { throw OutboundRefusal("must begin with https://") }
    if url.isAddress {
      guard addresses.allows(url.host) else { throw Self.notPublic }
    } else if url.host == "localhost" || url.host.hasSuffix(".localhost"), !addresses.allows("127.0.0.1") {
      throw Self.notPublic
    }
    return url
  }

  private static let notPublic = OutboundRefusal(
    "must not lead to a private, local or otherwise special address, unless MARTLET_WEBHOOKS_ALLOWED_NETWORKS allows it")

  /// Whether a text is an IPv4 address (it has dots) or an IPv6 address (colons), as far as `separators` has them.
  static func isAddress(_ text: String, in separators: String = ".:") -> Bool {
    var bytes = [UInt8](repeating: 0, count: 16)
    return (separators.contains(".") && inet_pton(AF_INET, text, &bytes) == 1)
      || (separators.contains(":") && inet_pton(AF_INET6, text, &bytes) == 1)
  }
}
