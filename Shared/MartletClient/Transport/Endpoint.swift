internal import NIOSSL
internal import ServerURL

/// Where the server is, and whom it must prove itself to.
struct Endpoint: Sendable {
  let url: ServerURL
  /// As it was given, without a slash at its end.
  let text: String
  let tls: TLSConfiguration
  /// Nil for a plain connection.
  let context: NIOSSLContext?

  /// - Parameters:
  ///   - schemes: with their ports; the second is the one of TLS.
  ///   - authorities: a PEM file that counts instead of the system's authorities.
  init(_ text: String, schemes: KeyValuePairs<String, Int>, authorities: String?) throws(MartletError) {
    do throws(ServerURL.Malformed) {
      url = try ServerURL(text, defaultPorts: schemes)
      guard url.user == nil, url.password == nil else { throw .init(reason: "it must hold neither user nor password") }
    } catch {
      throw MartletError(.configuration, "The address of the server is of no use: \(error.reason).")
    }
    self.text = text.hasSuffix("/") ? String(text.dropLast()) : text
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if let authorities { tls.trustRoots = .file(authorities) }
    self.tls = tls
    do {
      context = url.scheme == schemes[1].key ? try NIOSSLContext(configuration: tls) : nil
    } catch {
      let source = authorities.map { "The authorities in \($0)" } ?? "The system's certificate authorities"
      throw MartletError(.configuration, "\(source) cannot be read: a PEM file of certificates is wanted.")
    }
  }

  /// A text as a part of a path or a query (RFC 3986, section 2.3).
  static func escaped(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return result
  }
}
