/// From which peers `X-Forwarded-For` is believed.
package struct TrustedProxies: Sendable, Equatable {
  private let networks: NetworkList

  /// Nobody is believed.
  package static let none = TrustedProxies(networks: .empty)

  private init(networks: NetworkList) { self.networks = networks }

  /// Reads addresses and networks (`127.0.0.1`, `10.0.0.0/8`, `fd00::/8`), separated by commas; nil when one of them is neither.
  package init?(_ list: String) {
    guard let networks = NetworkList(list) else { return nil }
    self.networks = networks
  }

  /// The client behind `peer`: the last address of `X-Forwarded-For` that is no trusted proxy, if `peer` is one itself.
  ///
  /// Addresses left of that one are the client's own claims, so they are not looked at.
  package func client(peer: String, forwardedFor: [String]) -> String {
    guard networks.contains(peer) else { return peer }
    var client = peer
    for hop in forwardedFor.joined(separator: ",").split(separator: ",").reversed() {
      let address = String(hop.trimmed)
      guard NetworkList.isAddress(address) else { return client }
      client = address
      guard networks.contains(address) else { return client }
    }
    return client
  }
}
