/// Which of a cluster's slots a key belongs to (Redis Cluster specification, "Key distribution model" and "Hash tags").
enum HashSlot {
  static let count = 16_384

  /// The slot of a key: CRC-16 of what stands between its first `{` and the next `}`, or of all of it where there is nothing between such.
  static func of(_ key: some Collection<UInt8>) -> Int {
    if let open = key.firstIndex(of: UInt8(ascii: "{")) {
      let rest = key[key.index(after: open)...]
      if let close = rest.firstIndex(of: UInt8(ascii: "}")), close != rest.startIndex { return Int(crc16(rest[..<close])) % count }
    }
    return Int(crc16(key)) % count
  }

  /// CRC-16/XMODEM: polynomial 0x1021, starting from 0.
  static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var crc: UInt16 = 0
    for byte in bytes {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : (crc << 1) ^ 0x1021 }
    }
    return crc
  }
}
