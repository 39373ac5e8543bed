import Digests
import Store

/// The signature of a message by the Standard Webhooks specification, "Signature scheme": `v1,` and the base64 of
/// HMAC-SHA-256(secret, `<webhook-id>.<webhook-timestamp>.<body>`), one for each secret that is valid, separated by spaces.
enum WebhookSignature {
  /// - Parameter timestamp: of the attempt, in whole seconds since 1970.
  static func header(id: String, timestamp: Int64, body: [UInt8], secrets: [WebhookSecret]) -> String {
    let content = Array("\(id).\(timestamp).".utf8) + body
    return secrets.map { "v1," + Digests.base64(Digests.hmacSHA256(content, key: $0.bytes)) }.joined(separator: " ")
  }
}
