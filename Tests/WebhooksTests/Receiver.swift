import Foundation
import LocalStack
import Subprocess
import SystemPackage
import Synchronization
import Testing

/// A receiver of webhooks in Python that verifies them with the public library `standardwebhooks`, as a child process.
final class Receiver: Sendable {
  /// What the receiver told of one request.
  struct Request: Decodable, Sendable {
    let path: String?
    let id: String?
    let host: String?
    let at: Double?
    let verified: Bool?
    let why: String?
    let type: String?
    let signatures: Int?
    let data: Data?
    let followed: Bool?
    let sni: String?
    /// Of the first line, once it listens.
    let ready: Int?

    struct Data: Decodable, Sendable {
      let n: Int?
      let appliance_id: String?
      let webhook_id: String?
      let reason: String?
      let metric: String?
      let value: Double?
      let alarm_id: Int?
      let acknowledged_by: String?
      let session_id: String?
      let code: String?
    }
  }

  private let behaviour: String
  /// Any free one at first, then the same again.
  private let listening = Mutex(0)
  private let isListening = Mutex(false)
  private let behaviours = Mutex<[String: [String: String]]>([:])
  private let requests = Mutex<[Request]>([])
  /// Rings whenever it has told something.
  private let news: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  init(in folder: String, name: String = "receiver") {
    behaviour = "\(folder)/\(name).json"
    (news, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  var port: Int { listening.withLock { $0 } }

  /// From now on, requests for this path are answered so.
  func behave(_ path: String, _ mode: String, secret: String? = nil) async throws {
    let text = try behaviours.withLock { all in
      all[path, default: [:]]["mode"] = mode
      if let secret { all[path]?["secret"] = secret }
      return try JSONSerialization.data(withJSONObject: all)
    }
    try text.write(to: URL(filePath: behaviour), options: .atomic)
  }

  /// Those so far that could be verified.
  func received(_ path: String) -> [Request] { all.filter { $0.path == path && $0.verified == true } }
  var all: [Request] { requests.withLock { $0 } }

  /// Runs the receiver beside `body`, and kills it when `body` is done. It can be run again, on the same port.
  func running(tls: (certificate: String, key: String)? = nil, _ body: @escaping @Sendable () async throws -> Void) async throws {
    if !FileManager.default.fileExists(atPath: behaviour) { try await behave("/", "ok") }
    enum Ended { case receiver, body }
    isListening.withLock { $0 = false }
    try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask { [self] in
        try await serve(tls)
        return .receiver
      }
      group.addTask { [self] in
        _ = try await next("a receiver that listens") { self.isListening.withLock { $0 } ? true : nil }
        try await body()
        return .body
      }
      while let ended = try await group.next() { if ended == .body { group.cancelAll() } }
    }
  }

  /// Waits until what it has told gives an answer. One waiter at a time.
  func next<Value: Sendable>(_ what: String, _ answer: @escaping @Sendable () -> Value?) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
      group.addTask { [news] in
        if let value = answer() { return value }
        for await _ in news { if let value = answer() { return value } }
        throw CancellationError()
      }
      group.addTask {
        try await Task.sleep(for: .seconds(30))
        throw NeverSo(what: what)
      }
      defer { group.cancelAll() }
      guard let value = try await group.next() else { throw CancellationError() }
      return value
    }
  }

  private func serve(_ tls: (certificate: String, key: String)?) async throws {
    let program = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Clients/receiver.py").path(percentEncoded: false)
    let arguments = [program, String(port), behaviour] + (tls.map { [$0.certificate, $0.key] } ?? [])
    var options = PlatformOptions()
    options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .seconds(1))]
    _ = try await Subprocess.run(
      .path(FilePath(try #require(Tool.pypiPython))), arguments: Arguments(arguments), platformOptions: options, input: .none,
      output: .sequence,
      error: .discarded
    ) { execution in
      for try await line in execution.standardOutput.strings() {
        let request = try JSONDecoder().decode(Request.self, from: Foundation.Data(line.utf8))
        guard let port = request.ready else {
          requests.withLock { $0.append(request) }
          bell.yield()
          continue
        }
        listening.withLock { $0 = port }
        isListening.withLock { $0 = true }
        bell.yield()
      }
    }
  }
}
