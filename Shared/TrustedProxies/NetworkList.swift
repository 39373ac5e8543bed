internal import Glibc

/// Internet addresses and networks of them.
package struct NetworkList: Sendable, Equatable {
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

  static let empty = NetworkList(networks: [])

  /// Those that nobody outside can reach: loopback (RFC 1122, 4291), private (RFC 1918, 4193) and link-local (RFC 3927, 4291).
  package static let privateNetworks = NetworkList(
    networks: [
      Network(address: [127, 0, 0, 0], prefixLength: 8), Network(address: [10, 0, 0, 0], prefixLength: 8),
      Network(address: [172, 16, 0, 0], prefixLength: 12), Network(address: [192, 168, 0, 0], prefixLength: 16),
      Network(address: [169, 254, 0, 0], prefixLength: 16), Network(address: [UInt8](repeating: 0, count: 15) + [1], prefixLength: 128),
      Network(address: [0xFC] + [UInt8](repeating: 0, count: 15), prefixLength: 7),
      Network(address: [0xFE, 0x80] + [UInt8](repeating: 0, count: 14), prefixLength: 10),
    ])

  private init(networks: [Network]) { self.networks = networks }

  /// Reads addresses and networks (`127.0.0.1`, `10.0.0.0/8`, `fd00::/8`), separated by commas; nil when one of them is neither.
  package init?(_ list: String) {
    var networks: [Network] = []
    for item in list.split(separator: ",") {
      let parts = item.trimmed.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard let text = parts.first, let address = Self.bytes(ofAddress: String(text)) else { return nil }
      guard parts.count == 2 else {
        networks.append(Network(address: address, prefixLength: address.count * 8))
        continue
      }
      guard let prefixLength = Int(parts[1]), (0...address.count * 8).contains(prefixLength) else { return nil }
      networks.append(Network(address: address, prefixLength: prefixLength))
    }
    self.networks = networks
  }

  /// Whether the text is an address in one of the networks. The scope of a link-local one (`fe80::1%eth0`) is not looked at.
  package func contains(_ address: String) -> Bool {
    Self.bytes(ofAddress: String(address.prefix { $0 != "%" })).map { bytes in networks.contains { $0.contains(bytes) } } ?? false
  }

  static func isAddress(_ text: String) -> Bool { bytes(ofAddress: text) != nil }

  /// 4 or 16 bytes of an address, nil for what is none; an IPv4 address inside IPv6 (`::ffff:a.b.c.d`) is the IPv4 address.
  package static func bytes(ofAddress text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
    guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
    let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return mapped ? Array(bytes[12...]) : bytes
  }
}

extension Substring {
  /// Without spaces and tabs around it.
  var trimmed: Substring {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    guard let first = utf8.firstIndex(where: { !isBlank($0) }), let last = utf8.lastIndex(where: { !isBlank($0) }) else { return "" }
    return self[first...last]
  }
}
