import HTTPTypes
import Hummingbird
import Models
import NIOCore

/// Reads a request's body, as much of it and for as long as it may be.
enum RequestBodyReader {
  /// How long a body may take to arrive.
  static let deadline = Duration.seconds(10)
  /// What is read past the limit and thrown away, so that a client that only sent somewhat too much hears why before the connection closes.
  static let spillMax_bytes = 1 << 20

  /// The body as a JSON object.
  static func object(_ request: Request, _ body: Operation.Body) async throws -> JSONObject {
    let bytes = try await bytes(request, max: body.bytesMax)
    if bytes.isEmpty, body.isOptional { return try JSONObject(parsing: Array("{}".utf8)) }
    let mediaType = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
    guard mediaType?.split(separator: " ").joined() == "application/json" else { throw Problem(.unsupportedMediaType) }
    do throws(JSONError) {
      return try JSONObject(parsing: bytes)
    } catch {
      throw Problem(.malformedRequest, "The body cannot be read: \(error).")
    }
  }

  private static func bytes(_ request: Request, max: Int) async throws -> [UInt8] {
    if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > max + spillMax_bytes {
      throw tooLarge(max)
    }
    return try await withThrowingTaskGroup(of: [UInt8].self) { group in
      group.addTask { try await collect(request.body, max: max) }
      group.addTask {
        try await Task.sleep(for: deadline)
        throw Problem(.bodyTooSlow, headers: [.connection: "close"])
      }
      defer { group.cancelAll() }
      return try await group.next() ?? []
    }
  }

  private static func collect(_ body: RequestBody, max: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    var count = 0
    for try await part in body {
      count += part.readableBytes
      if count <= max { bytes += part.readableBytesView }
      if count > max + spillMax_bytes { break }
    }
    guard count <= max else { throw tooLarge(max) }
    return bytes
  }

  private static func tooLarge(_ max: Int) -> Problem {
    Problem(.bodyTooLarge, "The body may have at most \(max) bytes.", headers: [.connection: "close"])
  }
}
