import Foundation
import Logging
import Models
import ServiceRuntime
import Synchronization
import Testing

@testable import Access

@Suite struct TokenKeyringTests {
  private static let old = String(repeating: "o", count: 32)
  private static let new = String(repeating: "n", count: 40)
  private static let third = String(repeating: "t", count: 32)

  /// What was logged, and how often secrets were told to be gone.
  private final class Notes: Sendable {
    private let state = Mutex((lines: [String](), withdrawals: 0))
    var lines: [String] { state.withLock { $0.lines } }
    var withdrawals: Int { state.withLock { $0.withdrawals } }
    func withdraw() { state.withLock { $0.withdrawals += 1 } }
    var logger: Logger { Logger(label: "test") { [self] _ in Handler(write: { line in self.state.withLock { $0.lines.append(line) } }) } }
  }

  private struct Handler: LogHandler {
    let write: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    init(write: @escaping @Sendable (String) -> Void) { self.write = write }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { write("\(event.level) \(event.message) \(event.metadata ?? [:])") }
  }

  /// A keyring that follows a file, and what checks and makes tokens by it.
  private struct Scene {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID()).secret").path
    let notes = Notes()
    let keyring: TokenKeyring
    let verifier: TokenVerifier

    init(_ secrets: String...) async throws {
      try secrets.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
      let values = ConfigurationValues(try ConfigurationSources(environment: ["MARTLET_JWT_SECRET_FILE": path]))
      let settings = try TokenSettings(reading: values)
      keyring = try await #require(settings.secrets).makeKeyring(logger: notes.logger)
      verifier = try await settings.makeVerifier(keyring, logger: quiet).verifier
      await keyring.whenWithdrawn { [notes] in notes.withdraw() }
    }

    /// Writes in place, as one must where the file itself is mounted, and has it looked at.
    func write(_ text: String, looks: Int = 2) async throws {
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      for _ in 0..<looks { await keyring.look() }
    }

    func principal(_ token: String) async -> Principal? {
      if case .valid(let principal) = await verifier.verify(token, now: .now()) { principal } else { nil }
    }

    func issue() async throws -> String {
      try await TokenIssuer(keyring: keyring, rules: TokenRules()).issue(userID: "ann", now: .now(), lifetime: .seconds(600))
    }
  }

  private func token(by secret: String) async throws -> String {
    try await TokenIssuer(secret: try #require(TokenSecret(secret))).issue(userID: "ann", now: .now(), lifetime: .seconds(600))
  }

  @Test func `A text holds up to four secrets, a line each, none of them short`() {
    #expect(TokenSecrets(Self.old)?.all.count == 1)
    #expect(TokenSecrets("\n\(Self.new)\r\n\n\(Self.old)\n")?.all == [Self.new, Self.old].compactMap { TokenSecret($0) })
    #expect(TokenSecrets([String](repeating: Self.old, count: 4).joined(separator: "\n"))?.all.count == 4)
    #expect(TokenSecrets([String](repeating: Self.old, count: 5).joined(separator: "\n")) == nil)
    for text in ["", "\n", "short", "\(Self.old)\nshort", "short\n\(Self.old)"] { #expect(TokenSecrets(text) == nil, "\(text)") }
    #expect(TokenSecrets(Self.old).map { !"\($0)".contains(Self.old) } == true)
  }

  @Test func `A key is rotated by its file, and only who came by the gone one is told`() async throws {
    let scene = try await Scene(Self.old)
    defer { try? FileManager.default.removeItem(atPath: scene.path) }
    let (old, new) = (try await token(by: Self.old), try await token(by: Self.new))
    let early = try #require(await scene.principal(old))
    #expect(await scene.principal(new) == nil)

    try await scene.write("\(Self.old)\n\(Self.new)\n")
    let late = try #require(await scene.principal(new))
    #expect(await scene.principal(old) == early)
    let byOld = try await scene.issue()

    try await scene.write("\(Self.new)\n\(Self.old)\n")
    let byNew = try await scene.issue()
    #expect(await scene.principal(old) == early)
    #expect(scene.notes.withdrawals == 0)

    try await scene.write(Self.new)
    #expect(scene.notes.withdrawals == 1)
    for gone in [old, byOld] { #expect(await scene.principal(gone) == nil) }
    #expect(await scene.principal(new) == late)
    #expect(await scene.principal(byNew) != nil)
    #expect(await !scene.verifier.stands(behind: early))
    #expect(await scene.verifier.stands(behind: late))
    #expect(await scene.verifier.stands(behind: .endless("camera")), "who came without a token has no secret to lose")

    // One that comes back does not let in again whoever had to leave.
    try await scene.write("\(Self.new)\n\(Self.old)")
    #expect(await !scene.verifier.stands(behind: early))
    #expect(await scene.principal(old) != nil)
  }

  @Test func `What is seen while the file is being written does not count`() async throws {
    let scene = try await Scene(Self.old)
    defer { try? FileManager.default.removeItem(atPath: scene.path) }
    let principal = try #require(await scene.principal(try await token(by: Self.old)))
    let text = "\(Self.new)\n\(Self.old)\n"
    for length in [0, 33, 39, 45, 39, text.count] { try await scene.write(String(text.prefix(length)), looks: 1) }
    #expect(await scene.keyring.entries.count == 1, "the whole text has been seen once")
    await scene.keyring.look()
    #expect(await scene.keyring.entries.count == 2)
    #expect(await scene.verifier.stands(behind: principal))
    #expect(scene.notes.withdrawals == 0)
  }

  @Test func `A file that cannot be used leaves the keys as they were, and is told of once`() async throws {
    let scene = try await Scene(Self.old, Self.third)
    defer { try? FileManager.default.removeItem(atPath: scene.path) }
    let principal = try #require(await scene.principal(try await token(by: Self.third)))
    for text in ["", "tooshort", "\(Self.new)\ntooshort"] { try await scene.write(text) }
    try FileManager.default.removeItem(atPath: scene.path)
    await scene.keyring.look()
    #expect(await scene.verifier.stands(behind: principal))
    #expect(await scene.principal(try await scene.issue()) != nil)
    #expect(scene.notes.lines.count == 1 && scene.notes.lines.first?.hasPrefix("error") == true)
    #expect(scene.notes.lines.allSatisfy { $0.contains(scene.path) && !$0.contains("tooshort") && !$0.contains(Self.old) })
    try await scene.write(Self.new)
    #expect(await scene.principal(try await token(by: Self.new)) != nil)
    #expect(scene.notes.withdrawals == 1)
    try await scene.write("")
    #expect(scene.notes.lines.count { $0.hasPrefix("error") } == 2, "what came right in between may be told again")
  }

  @Test(.timeLimit(.minutes(1))) func `The file is looked at while the service runs`() async throws {
    let scene = try await Scene(Self.old)
    defer { try? FileManager.default.removeItem(atPath: scene.path) }
    let (withdrawals, withdrawal) = AsyncStream.makeStream(of: Void.self)
    await scene.keyring.whenWithdrawn { withdrawal.yield() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await scene.keyring.run() }
      try Self.new.write(toFile: scene.path, atomically: false, encoding: .utf8)
      for await _ in withdrawals { break }
      #expect(await scene.principal(try await token(by: Self.new)) != nil)
      group.cancelAll()
    }
  }
}
