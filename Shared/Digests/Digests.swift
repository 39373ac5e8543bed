internal import COpenSSL

/// Hashes, randomness and constant-time comparison by the system's OpenSSL, so that they get the distribution's security updates.
package enum Digests {
  /// SHA-1 of `bytes` (20 bytes). Only for the handshake that RFC 6455, section 1.3, prescribes: not a security measure.
  package static func sha1(_ bytes: some Collection<UInt8>) -> [UInt8] {
    digest(bytes, EVP_sha1(), size: 20)
  }

  /// SHA-256 of `bytes` (32 bytes).
  package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
    digest(bytes, EVP_sha256(), size: 32)
  }

  /// HMAC-SHA-1 of `bytes` (20 bytes). Only for the TURN servers' time-limited credentials, which are defined by it.
  package static func hmacSHA1(_ bytes: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
    let message = ContiguousArray(bytes)
    return [UInt8](unsafeUninitializedCapacity: 20) { output, count in
      var length: UInt32 = 0
      let done = message.withUnsafeBufferPointer {
        HMAC(EVP_sha1(), key, Int32(key.count), $0.baseAddress, $0.count, output.baseAddress, &length)
      }
      precondition(done != nil && length == 20, "OpenSSL refused a digest: its installation is broken")
      count = 20
    }
  }

  /// HMAC-SHA-256 of `bytes` (32 bytes).
  package static func hmacSHA256(_ bytes: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
    let message = ContiguousArray(bytes)
    return [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      var length: UInt32 = 0
      let done = message.withUnsafeBufferPointer {
        HMAC(EVP_sha256(), key, Int32(key.count), $0.baseAddress, $0.count, output.baseAddress, &length)
      }
      precondition(done != nil && length == 32, "OpenSSL refused a digest: its installation is broken")
      count = 32
    }
  }

  /// Whether two secrets are equal, in a time that depends on their lengths alone.
  package static func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }

  /// Bytes that nobody can guess.
  package static func randomBytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    precondition(RAND_bytes(&bytes, CInt(count)) == 1, "OpenSSL has no randomness: its installation is broken")
    return bytes
  }

  /// scrypt (RFC 7914) of a password: 32 bytes. Takes 128 · 2^`logN` · `r` bytes of memory and, by intent, long.
  ///
  /// - Returns: nil for costs that are none, or that take more than `memoryMax_bytes`.
  package static func scrypt(
    _ password: [UInt8], salt: [UInt8], logN: Int, r: Int, p: Int, memoryMax_bytes: Int = 96 << 20
  ) -> [UInt8]? {
    guard (1...30).contains(logN), (1...64).contains(r), (1...16).contains(p) else { return nil }
    var key = [UInt8](repeating: 0, count: 32)
    let done = password.withUnsafeBytes { password in
      EVP_PBE_scrypt(
        password.baseAddress?.assumingMemoryBound(to: CChar.self), password.count, salt, salt.count, 1 << UInt64(logN), UInt64(r),
        UInt64(p),
        UInt64(memoryMax_bytes), &key, key.count)
    }
    return done == 1 ? key : nil
  }

  /// Base64 with padding (RFC 4648, section 4).
  package static func base64(_ bytes: [UInt8]) -> String {
    // One more for the zero that OpenSSL ends the text with.
    let text = [UInt8](unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4 + 1) { output, count in
      count = Int(EVP_EncodeBlock(output.baseAddress, bytes, CInt(bytes.count)))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Lowercase hexadecimal form.
  package static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func digest(_ bytes: some Collection<UInt8>, _ algorithm: OpaquePointer?, size: Int) -> [UInt8] {
    let contiguous = ContiguousArray(bytes)
    return [UInt8](unsafeUninitializedCapacity: size) { output, count in
      var length: UInt32 = 0
      let done = contiguous.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, output.baseAddress, &length, algorithm, nil) }
      precondition(done == 1 && length == size, "OpenSSL refused a digest: its installation is broken")
      count = size
    }
  }
}
