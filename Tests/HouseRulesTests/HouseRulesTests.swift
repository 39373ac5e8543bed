import Foundation
import Testing

/// What SwiftPM does not enforce: which way imports point, and which constructs need a reason.
@Suite struct HouseRulesTests {
  /// Each library of ours, and which of ours it may import. A library that is missing here is refused, so that the layers stay a decision.
  private static let mayImport: [String: Set<String>] = [
    "Models": [],
    "Backoff": [],
    "ServerURL": [],
    "TrustedProxies": [],
    "OutboundGate": ["ServiceRuntime", "TrustedProxies"],
    "Digests": ["COpenSSL"],
    "RuleEvaluation": ["Models"],
    "RedisClient": ["CHiredis", "Backoff", "ServerURL"],
    "PostgresClient": ["CLibpq", "COpenSSL", "Backoff"],
    "MQTTClient": ["CMosquitto", "Backoff", "ServerURL"],
    "WebSocketTransport": ["Digests", "TrustedProxies"],
    "ServiceRuntime": [],
    "LocalStack": [],
    "MartletClient": ["Models", "ServerURL"],
    "EventLog": ["Models", "RedisClient", "Digests"],
    "Store": ["Models", "PostgresClient", "Digests", "RuleEvaluation"],
    "LogConsumer": ["Models", "EventLog", "Store", "PostgresClient", "ServiceRuntime", "Backoff"],
    "AuditTrail": ["Models", "RedisClient", "Backoff"],
    "Commands": ["Models", "EventLog", "Backoff"],
    "Access": ["Models", "Store", "Digests", "ServiceRuntime", "Backoff"],
    "Gateway": [
      "AuditTrail", "Models", "EventLog", "Store", "Access", "Commands", "RedisClient", "PostgresClient", "WebSocketTransport",
      "ServiceRuntime",
      "Backoff", "TrustedProxies",
    ],
    "Ingest": ["Models", "EventLog", "Commands", "RedisClient", "MQTTClient", "ServiceRuntime", "Backoff"],
    "Persister": ["Backoff", "Models", "EventLog", "LogConsumer", "Store", "RedisClient", "PostgresClient", "ServiceRuntime"],
    "Rules": [
      "Models", "EventLog", "LogConsumer", "Store", "Commands", "RuleEvaluation", "RedisClient", "PostgresClient", "ServiceRuntime",
      "Backoff", "Digests", "OutboundGate", "Webhooks",
    ],
    "API": [
      "AuditTrail", "Models", "RuleEvaluation", "EventLog", "Store", "Access", "Commands", "Digests", "OutboundGate", "RedisClient",
      "PostgresClient",
      "ServiceRuntime", "TrustedProxies",
    ],
    "Signaling": [
      "AuditTrail", "Models", "EventLog", "Store", "Access", "Digests", "RedisClient", "PostgresClient", "WebSocketTransport",
      "ServiceRuntime",
      "Backoff", "TrustedProxies",
    ],
    "Martletctl": [
      "Models", "RuleEvaluation", "EventLog", "Store", "Access", "RedisClient", "PostgresClient", "MQTTClient", "ServerURL",
      "ServiceRuntime", "Backoff", "OutboundGate",
    ],
  ]

  private static let ours = Set(mayImport.keys).union(["CHiredis", "CLibpq", "CMosquitto", "COpenSSL"])

  /// `Shared/Models/Event.swift` and `Services/Gateway/Sources/Hub.swift` belong to `Models` and `Gateway`.
  private static func library(of file: SourceFile) -> String { file.path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

  @Test func `Imports point down`() throws {
    let libraries = try SourceTree.files(in: "Shared") + SourceTree.files(in: "Services")
    #expect(!libraries.isEmpty)
    for file in libraries where !file.path.contains("/Main/") {
      let library = Self.library(of: file)
      let allowed = try #require(Self.mayImport[library], "\(file.path): the library \(library) has no row in this test")
      for module in file.imports where Self.ours.contains(module) {
        #expect(allowed.contains(module), "\(file.path) imports \(module), which \(library) must not")
      }
    }
  }

  @Test func `Models imports values only`() throws {
    for file in try SourceTree.files(in: "Shared/Models") {
      for module in file.imports { #expect(["Darwin", "Glibc", "Synchronization"].contains(module), "\(file.path) imports \(module)") }
    }
  }

  /// An image with all of Foundation has 40 MB more, most of them the calendars and languages of the world. What reads YAML needs it.
  @Test func `What services run does without all of Foundation`() throws {
    let elsewhere = ["Shared/LocalStack/", "Shared/MartletClient/", "Services/Martletctl/"]
    for file in try SourceTree.files(in: "Shared") + SourceTree.files(in: "Services") where !elsewhere.contains(where: file.path.hasPrefix)
    {
      #expect(!file.imports.contains("Foundation"), "\(file.path) imports Foundation: FoundationEssentials and Glibc have to do")
    }
  }

  @Test func `Executables only start what their library builds`() throws {
    let executables = try (SourceTree.files(in: "Shared") + SourceTree.files(in: "Services")).filter { $0.path.contains("/Main/") }
    for file in executables { #expect(file.lines.count <= 60, "\(file.path) has \(file.lines.count) lines") }
  }

  /// Constructs that need a reason; the second member names the files that have one.
  private static let guarded: [(construct: String, exceptions: [String: String])] = [
    (
      "print(",
      [
        "Services/Martletctl": "a command line's output is its product",
        "Shared/LocalStack": "it tells a person how far it is",
        "Shared/ServiceRuntime": "--help and --check answer on standard output",
      ]
    ),
    ("try!", [:]),
    ("@unchecked Sendable", [:]),
    ("nonisolated(unsafe)", [:]),
    ("Task {", ["Shared/MartletClient/Login/": "a renewal outlives who asked: its refresh token is used up"]),
    ("Task.detached", [:]),
    ("fatalError(", [:]),
  ]

  @Test func `Constructs that need a reason have one`() throws {
    for file in try SourceTree.files(in: "Shared") + SourceTree.files(in: "Services") {
      for (construct, exceptions) in Self.guarded where !exceptions.keys.contains(where: file.path.hasPrefix) {
        for (number, text) in file.code {
          #expect(!Self.uses(construct, in: text), "\(file.path):\(number) has '\(construct)', for which this test knows no reason")
        }
      }
    }
  }

  /// Whether `construct` stands in `text` by itself, not as the end of a longer name.
  private static func uses(_ construct: String, in text: String) -> Bool {
    guard let range = text.range(of: construct) else { return false }
    guard range.lowerBound > text.startIndex else { return true }
    let before = text[text.index(before: range.lowerBound)]
    return !(before.isLetter || before.isNumber || before == "_" || before == ".")
  }

  @Test func `Files stay readable`() throws {
    for file in try SourceTree.files(in: "Shared") + SourceTree.files(in: "Services") + SourceTree.files(in: "Tests") {
      #expect(file.lines.count <= 400, "\(file.path) has \(file.lines.count) lines: is there a second idea in it?")
    }
  }

  @Test func `No target is named for nothing`() throws {
    for name in ["Utils", "Utilities", "Common", "Core", "Helpers", "Shared", "Misc"] {
      #expect(!FileManager.default.fileExists(atPath: SourceTree.root.appending(path: "Shared/\(name)").path()), "Shared/\(name)")
    }
  }

  @Test func `The page of metrics names every metric`() throws {
    let page = try String(contentsOf: SourceTree.root.appending(path: "deploy/METRICS.md"), encoding: .utf8)
    let name = /"(martlet_[a-z_]+)":/
    let described = try SourceTree.files(in: "Services").filter { $0.path.hasSuffix("Metrics.swift") }
      .flatMap { $0.lines.flatMap { $0.matches(of: name).map { String($0.output.1) } } }
    #expect(!described.isEmpty)
    for metric in described { #expect(page.contains("`\(metric)`"), "deploy/METRICS.md does not name \(metric)") }
  }
}
