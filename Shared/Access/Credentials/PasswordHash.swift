internal import Digests
internal import FoundationEssentials
// Normal forms are not public in Swift yet, and Foundation's way to them needs all of Foundation.
@_spi(_Unicode) internal import Swift

/// A password as it is kept: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, in the manner of the PHC string format, base64 without padding.
struct PasswordHash: Sendable {
  /// 32 MiB and about a tenth of a second for each guess.
  private static let costs = (logN: 15, r: 8, p: 1)
  /// Dearer ones are in no database of ours; a row that says otherwise cannot stop the service.
  private static let costMax = (logN: 16, r: 8, p: 4)

  let text: String

  /// Hashes a password with a salt of its own.
  init(of password: String, salt: [UInt8] = Digests.randomBytes(16)) {
    let (logN, r, p) = Self.costs
    guard let hash = Digests.scrypt(Self.bytes(of: password), salt: salt, logN: logN, r: r, p: p) else {
      preconditionFailure("OpenSSL refused scrypt's costs: its installation is broken")
    }
    text = "$scrypt$ln=\(logN),r=\(r),p=\(p)$\(Self.base64(salt))$\(Self.base64(hash))"
  }

  /// Whether `text` keeps this password, told in constant time once it is parsed. False for a text that is no hash of ours.
  static func verify(_ password: String, against text: String) -> Bool {
    guard let match = text.wholeMatch(of: /\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+\/]{11,86})\$([A-Za-z0-9+\/]{43})/),
      let logN = Int(match.1), let r = Int(match.2), let p = Int(match.3), logN <= costMax.logN, r <= costMax.r, p <= costMax.p,
      let salt = bytes(fromBase64: match.4), let kept = bytes(fromBase64: match.5),
      let hash = Digests.scrypt(bytes(of: password), salt: salt, logN: logN, r: r, p: p)
    else { return false }
    return Digests.constantTimeEqual(hash, kept)
  }

  /// One form for what looks the same on every keyboard (Unicode's NFC).
  private static func bytes(of password: String) -> [UInt8] { Array(String(String.UnicodeScalarView(password._nfc)).utf8) }

  private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString().replacing("=", with: "") }

  private static func bytes(fromBase64 text: Substring) -> [UInt8]? {
    Data(base64Encoded: text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)).map(Array.init)
  }
}
