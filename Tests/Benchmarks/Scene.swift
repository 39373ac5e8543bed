import Foundation
import LocalStack

/// A running stack with its accounts, and what the system tells of its processes.
struct Scene: Sendable {
  static let appliances = (0..<8).map { "BENCH-\($0)" }

  let stack: LocalStack
  let token: String

  init(_ stack: LocalStack) async throws {
    self.stack = stack
    let rows = Self.appliances.map { "  - id: \($0)\n    owner: bench\n" }.joined()
    try await stack.martletctl("apply", "-", input: "users:\n  - id: bench\nappliances:\n" + rows)
    token = try await stack.martletctl("token", "bench", "--lifetime", "1h")
  }

  var gatewayPort: Int { get throws { try stack.service("gateway-1").port } }

  func cpu_seconds(_ part: String) async throws -> Double { try await Self.cpu_seconds(part, of: stack) }
  func resident_KiB(_ part: String) async throws -> Double { try await Self.resident_KiB(part, of: stack) }

  /// CPU time that a part's process has used, in seconds.
  static func cpu_seconds(_ part: String, of stack: LocalStack) async throws -> Double {
    let fields = try await procFile("stat", part, stack).split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// What a part's process has resident, in KiB.
  static func resident_KiB(_ part: String, of stack: LocalStack) async throws -> Double {
    let line = try await procFile("status", part, stack).split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
  }

  private static func procFile(_ name: String, _ part: String, _ stack: LocalStack) async throws -> String {
    guard let pid = try await stack.processIdentifier(part) else { return "" }
    return try String(contentsOfFile: "/proc/\(pid)/\(name)", encoding: .utf8)
  }
}

enum Report {
  static func progress(_ line: String) { FileHandle.standardError.write(Data("  \(line)\n".utf8)) }

  static func heading() { write("| what | figure |\n|---|---|") }

  static func row(_ what: String, _ figure: String) {
    write("| \(what) | \(figure) |")
  }

  /// At once, so that a person sees how far it is.
  private static func write(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

  static func rounded(_ value: Double, _ digits: Int = 1) -> String { String(format: "%.\(digits)f", value) }

  static func percentile(_ sorted: [Int], _ share: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
  }
}

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
