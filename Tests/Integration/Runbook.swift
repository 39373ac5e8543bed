import Foundation
import LocalStack

/// A section of deploy/OPERATING.md, so that a test does what stands there.
struct Runbook: Sendable {
  struct Missing: Error { let text: String }

  private let text: Substring

  init(_ title: String) throws {
    let page = try String(contentsOfFile: Deployed.path("OPERATING.md"), encoding: .utf8)
    guard let start = page.range(of: "\n## \(title)\n") else { throw Missing(text: title) }
    let rest = page[start.upperBound...]
    text = rest.prefix(upTo: rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)
  }

  /// The lines of its blocks of commands.
  var commands: [String] {
    let blocks = text.components(separatedBy: "\n```")
    return stride(from: 1, to: blocks.count, by: 2).flatMap { blocks[$0].split(separator: "\n").map(String.init) }
  }

  /// What stands between backticks and begins with these words.
  func code(_ beginning: String) throws -> String {
    let pieces = text.split(separator: "`", omittingEmptySubsequences: false)
    guard let found = pieces.first(where: { $0.hasPrefix(beginning) }) else { throw Missing(text: beginning) }
    return String(found)
  }
}

/// What is deployed, as files.
enum Deployed {
  static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../deploy/\(name)").standardized.path(percentEncoded: false)
  }
}

extension Backbone {
  /// Does a line of commands for docker compose with what runs here in place of containers. Files are in the stack's folder.
  ///
  /// - Returns: what it prints.
  @discardableResult
  func follow(_ line: String) async throws -> String {
    let words = line.split(separator: " ").map(String.init)
    if line.hasPrefix("docker compose stop ") {
      for name in replicas(of: words.dropFirst(3)) { try await stack.stop(name) }
      return ""
    }
    if line.hasPrefix("docker compose up -d") {
      let servers = ["postgres", "redis", "mosquitto"]
      let named = words.dropFirst(4).filter { !$0.hasPrefix("-") }
      let wanted = named.isEmpty ? servers + stack.services.map(\.name) : servers.filter(named.contains) + replicas(of: named)
      for name in wanted where try await stack.processIdentifier(name) == nil { try await stack.start(name) }
      return ""
    }
    let postgres = try stack.postgres
    return try await Tool.run(
      ["sh", "-c", Self.docker + line], named: line,
      environment: [
        "FOLDER": stack.folder.path, "MARTLETCTL": "\(stack.configuration.executables)/martletctl",
        "PGHOST": postgres.host, "PGPORT": String(postgres.port), "PGPASSWORD": postgres.password(.owner),
        "MARTLET_POSTGRES_URL": postgres.url(.owner), "MARTLET_POSTGRES_PASSWORD": postgres.password(.owner),
      ])
  }

  private func replicas(of services: some Sequence<String>) -> [String] {
    services.flatMap { service in stack.services.map(\.name).filter { $0.hasPrefix("\(service)-") } }
  }

  private static let docker = """
    set -eu
    cd "$FOLDER"
    docker() {
      case "$*" in
        'compose exec -T postgres '*) shift 4; "$@" ;;
        'compose run --rm migrate') "$MARTLETCTL" migrate ;;
        'compose run --rm migrate '*) shift 4; "$MARTLETCTL" "$@" ;;
        *) echo "no stand-in for docker $*" >&2; exit 1 ;;
      esac
    }

    """

  /// PostgreSQL as it is with a new volume: an empty database, and the roles that compose makes with it.
  func losePostgres() async throws {
    let postgres = try stack.postgres
    let roles = PostgresServer.Role.services.map(\.rawValue).joined(separator: ", ")
    _ = try await postgres.query(
      "DROP DATABASE martlet WITH (FORCE);\nDROP ROLE \(roles);\nCREATE DATABASE martlet OWNER martlet;", database: "postgres")
    let script = try String(contentsOfFile: Deployed.path("compose/postgres-roles.sh"), encoding: .utf8)
      .replacingOccurrences(of: "/run/secrets/postgres_", with: stack.folder.secretFile("postgres_martlet_"))
    try await Tool.run(
      ["sh", "-c", script], named: "postgres-roles.sh",
      environment: [
        "PGHOST": postgres.host, "PGPORT": String(postgres.port), "PGPASSWORD": postgres.password(.owner), "POSTGRES_USER": "martlet",
        "POSTGRES_DB": "martlet",
      ])
  }
}
