internal import Digests

/// A secret of ours that means nothing by itself, 256 random bits: a refresh token, or what a device proves itself with. Its owner
/// has the text; we keep only the hash, from which nobody gets the text back.
package struct OpaqueSecret: Sendable, CustomStringConvertible {
  /// 43 characters of `A-Z a-z 0-9 _ -`.
  package let text: String

  package init() { text = Base64URL.encode(Digests.randomBytes(32)) }

  /// SHA-256, 32 bytes.
  package var hash: [UInt8] { Self.hash(of: text) }

  /// The hash of a text that somebody presents; nil for one that cannot be a secret of ours.
  package static func hash(presented text: String) -> [UInt8]? {
    text.utf8.count == 43 ? hash(of: text) : nil
  }

  package var description: String { "OpaqueSecret(…)" }

  private static func hash(of text: String) -> [UInt8] { Digests.sha256(text.utf8) }
}
