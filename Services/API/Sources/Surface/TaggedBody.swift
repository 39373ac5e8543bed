import Digests
import HTTPTypes
import Hummingbird
import NIOCore

/// A body that clients may keep, if they ask each time whether it is still so (RFC 9110, section 8.8.3).
struct TaggedBody: Sendable {
  private let body: ByteBuffer
  private let tag: String

  init(_ bytes: [UInt8]) {
    body = ByteBuffer(bytes: bytes)
    tag = "\"\(Digests.hex(Digests.sha256(bytes).prefix(12)))\""
  }

  /// The body, or 304 for a client that has it.
  func response(to call: Call, headers: HTTPFields) -> Response {
    var headers = headers
    headers[.eTag] = tag
    headers[.cacheControl] = "no-cache"
    let known = call.headers[values: .ifNoneMatch].joined(separator: ",").split(separator: ",").map { $0.split(separator: " ").joined() }
    if known.contains(where: { $0 == tag || $0 == "W/" + tag || $0 == "*" }) {
      headers[.contentType] = nil
      return Response(status: .notModified, headers: headers)
    }
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
  }
}
