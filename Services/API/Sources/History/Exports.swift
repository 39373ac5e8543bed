import Access
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import Synchronization

/// Answers that are too long for memory: written page by page, each read only when the client has taken the one before.
final class Exports: Sendable {
  /// What is left of an export.
  struct Page<Position: Sendable>: Sendable {
    let text: [UInt8]
    /// Where the next one begins, nil after the last.
    let next: Position?
  }

  private let places: Places
  private let gate: AccessGate

  /// A client that takes nothing for so long is let go.
  private static let patience = Duration.seconds(60)

  /// - Parameter runningMax: exports at a time; each holds a database connection while it reads a page.
  init(runningMax: Int, gate: AccessGate) {
    places = Places(of: "exports", countMax: runningMax)
    self.gate = gate
  }

  var count: Int { places.heldCount }

  /// A CSV of all pages. What goes wrong before the first is a problem document; after that, the connection breaks off, so that nobody takes a part for the
  /// whole. It also does when the caller loses the appliance meanwhile.
  func csv<Position: Sendable>(
    _ call: Call, name: String, header: [String], from start: Position, page: @escaping @Sendable (Position) async throws -> Page<Position>
  ) async throws -> Response {
    // Left with the last byte, or when the answer is thrown away before that.
    let place = try places.take()
    let first = try await page(start)
    let (principal, appliance, channel) = (try call.user().principal, try call.appliance(), call.channel)
    let body = ResponseBody { [gate] writer in
      let progress = Progress()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await Self.letGo(channel, when: progress) }
        defer { group.cancelAll() }
        var current = first
        try await writer.write(ByteBuffer(bytes: CSV.line(header) + current.text))
        while let next = current.next {
          progress.advance()
          guard case .granted = await gate.permission(of: principal, on: appliance) else { throw Problem(.applianceNotFound) }
          current = try await page(next)
          try await writer.write(ByteBuffer(bytes: current.text))
        }
      }
      try await writer.finish(nil)
      place.leave()
    }
    return Response(
      status: .ok,
      headers: [.contentType: "text/csv; charset=utf-8; header=present", .contentDisposition: "attachment; filename=\"\(name)\""],
      body: body)
  }

  private final class Progress: Sendable {
    private let steps = Atomic(0)
    func advance() { steps.wrappingAdd(1, ordering: .relaxed) }
    var count: Int { steps.load(ordering: .relaxed) }
  }

  /// Closes the connection when nothing moves any more.
  private static func letGo(_ channel: any Channel, when progress: Progress) async {
    while !Task.isCancelled {
      let before = progress.count
      guard (try? await Task.sleep(for: patience)) != nil else { return }
      if progress.count == before { return channel.close(promise: nil) }
    }
  }
}
