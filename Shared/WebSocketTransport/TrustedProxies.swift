internal import Glibc

/// From which peers `X-Forwarded-For` is believed.
package struct TrustedProxies: Sendable, Equatable {
  private struct Network: Sendable, Equatable {
    let address: [UInt8]
    let prefixLength: Int

    func contains(_ other: [UInt8]) -> Bool {
      guard other.count == address.count else { return false }
      let whole = prefixLength / 8
      let rest = prefixLength % 8
      guard address[..<whole] == other[..<whole] else { return false }
      return rest == 0 || (address[whole] ^ other[whole]) >> (8 - rest) == 0
    }
  }

  private let networks: [Network]

  /// Nobody is believed.
  package static let none = TrustedProxies(networks: [])

  private init(networks: [Network]) { self.networks = networks }

  /// Reads addresses and networks (`127.0.0.1`, `10.0.0.0/8`, `fd00::/8`), separated by commas; nil when one of them is neither.
  package init?(_ list: String) {
    var networks: [Network] = []
    for item in list.split(separator: ",") {
      let parts = item.trimmed.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard let text = parts.first, let address = Self.bytes(String(text)) else { return nil }
      guard parts.count == 2 else {
        networks.append(Network(address: address, prefixLength: address.count * 8))
        continue
      }
      guard let prefixLength = Int(parts[1]), (0...address.count * 8).contains(prefixLength) else { return nil }
      networks.append(Network(address: address, prefixLength: prefixLength))
    }
    self.networks = networks
  }

  /// The client behind `peer`: the last address of `X-Forwarded-For` that is no trusted proxy, if `peer` is one itself.
  ///
  /// Addresses left of that one are the client's own claims, so they are not looked at.
  func client(peer: String, forwardedFor: [String]) -> String {
    guard !networks.isEmpty, trusts(peer) else { return peer }
    var client = peer
    for hop in forwardedFor.joined(separator: ",").split(separator: ",").reversed() {
      let address = String(hop.trimmed)
      guard Self.bytes(address) != nil else { return client }
      client = address
      guard trusts(address) else { return client }
    }
    return client
  }

  private func trusts(_ address: String) -> Bool {
    Self.bytes(address).map { bytes in networks.contains { $0.contains(bytes) } } ?? false
  }

  /// 4 or 16 bytes of an address; an IPv4 address inside IPv6 (`::ffff:a.b.c.d`) is the IPv4 address.
  private static func bytes(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
    guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
    let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return mapped ? Array(bytes[12...]) : bytes
  }
}
