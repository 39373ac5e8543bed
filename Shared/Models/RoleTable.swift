/// Which event types, commands and readings each role has, per dialect (SPEC, sections 3 and 4; deploy/decisions/0025). Pure.
///
/// A user's role is what they are permitted with the appliance: `viewer` who may watch it, `operator` who may operate it, `owner` and `admin`. The table is a text with one line for each dialect, role and
/// subject, `oht50 viewer events * !config.*`: what is allowed, and behind `!` what is not. A line takes the place of the default for it.
package struct RoleTable: Hashable, Sendable {
  package enum Subject: String, Hashable, Sendable, CaseIterable { case events, commands, readings }

  /// Names that are allowed, without those that are denied.
  package struct Patterns: Hashable, Sendable {
    package static let everything = Patterns(allowed: ["*"], denied: [])

    /// Each a whole name, or with `*` at its end a beginning.
    fileprivate let allowed: [String]
    fileprivate let denied: [String]

    package func permits(_ name: String) -> Bool {
      allowed.contains { Self.matches($0, name) } && !denied.contains { Self.matches($0, name) }
    }

    private static func matches(_ pattern: String, _ name: String) -> Bool {
      pattern.last == "*" ? name.hasPrefix(pattern.dropLast()) : name == pattern
    }
  }

  private struct Place: Hashable {
    let dialect: Dialect
    let role: Permission
    let subject: Subject
  }

  private var lines: [Place: Patterns]

  /// Every event and reading for everyone, but for robots' `config.*`, which viewers do not get. Commands are for whom their dialect says.
  package static let standard = RoleTable(
    lines: [Place(dialect: .oht50, role: .watch, subject: .events): Patterns(allowed: ["*"], denied: ["config.*"])])

  private init(lines: [Place: Patterns]) { self.lines = lines }

  // MARK: Asking

  /// What a role has of a dialect; nil where the table has no line.
  package func line(_ dialect: Dialect, _ role: Permission, _ subject: Subject) -> Patterns? {
    lines[Place(dialect: dialect, role: role, subject: subject)]
  }

  /// Whether the role gets events of this type. The type tells the dialect.
  package func permits(_ role: Permission, event type: EventType) -> Bool {
    line(Dialect(ofEvent: type), role, .events)?.permits(type.rawValue) ?? true
  }

  /// Whether the role may send this command; nil where the table leaves that to the dialect. The command tells the dialect.
  package func permits(_ role: Permission, command type: EventType) -> Bool? {
    line(Dialect(ofCommand: type), role, .commands)?.permits(type.rawValue)
  }

  /// The roles that get events of this type.
  package func audience(of type: EventType) -> RoleSet {
    RoleSet(Permission.allCases.filter { permits($0, event: type) })
  }
}

/// Some of the four roles, as one number to test against.
package struct RoleSet: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let everyone = RoleSet(Permission.allCases)

  package init(_ roles: some Sequence<Permission>) {
    rawValue = roles.reduce(0) { $0 | 1 << UInt8($1.rawValue) }
  }

  package func contains(_ role: Permission) -> Bool { rawValue & 1 << UInt8(role.rawValue) != 0 }
}

extension Permission {
  /// Its role's name in the table.
  fileprivate var roleName: String {
    switch self {
    case .watch: "viewer"
    case .operate: "operator"
    case .own: "owner"
    case .administer: "admin"
    }
  }
}

extension Dialect {
  /// Whose document has events of this type; `generic` for a device's own, and for what Martlet itself says of any.
  package init(ofEvent type: EventType) {
    if OHT50Family(type) != nil {
      self = .oht50
    } else if type.rawValue.hasPrefix("telemetry:") {
      self = .webmacs
    } else {
      self = Self.named(type)
    }
  }

  /// Whose document has the command.
  package init(ofCommand type: EventType) { self = type == .emergencyStop ? .oht50 : Self.named(type) }

  private static func named(_ type: EventType) -> Self {
    type.rawValue.hasPrefix("cooking:") ? .epicura : type.rawValue.hasPrefix("reefnet:") ? .reefnet : .generic
  }
}

// MARK: Reading

/// Why a text is no table of roles: names the line, what is wrong with it, and what it wants.
package struct RoleTableError: Error, Hashable, Sendable, CustomStringConvertible {
  package let line: Int
  package let reason: String

  package var description: String { "line \(line) \(reason)" }
}

extension RoleTable {
  /// Reads a table; its lines take the place of the defaults'. Empty lines, and what is behind `#`, are left out.
  package init(parsing text: String) throws(RoleTableError) {
    self = .standard
    var seen: [Place: Int] = [:]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      guard !words.isEmpty else { continue }
      do throws(LineError) {
        let (place, patterns) = try Self.entry(words)
        if let first = seen[place] {
          throw LineError("says what line \(first) says, of \(words[0]) \(words[1]) \(words[2]): put all patterns into one of them")
        }
        seen[place] = index + 1
        lines[place] = patterns
      } catch {
        throw RoleTableError(line: index + 1, reason: error.reason)
      }
    }
  }

  private struct LineError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  private static func entry(_ words: [String]) throws(LineError) -> (Place, Patterns) {
    guard words.count >= 4 else {
      throw LineError(
        "has too few words: a dialect, a role, events, commands or readings, and patterns are wanted, as in 'oht50 viewer events * !config.*'"
      )
    }
    guard let dialect = Dialect(rawValue: words[0]) else { throw unknown(words[0], "dialect", Dialect.allCases.map(\.rawValue)) }
    guard let role = Permission.allCases.first(where: { $0.roleName == words[1] }) else {
      throw unknown(words[1], "role", Permission.allCases.map(\.roleName))
    }
    guard let subject = Subject(rawValue: words[2]) else { throw unknown(words[2], "subject", Subject.allCases.map(\.rawValue)) }
    var (allowed, denied) = ([String](), [String]())
    for word in words.dropFirst(3) {
      let isDenied = word.hasPrefix("!")
      let pattern = String(isDenied ? word.dropFirst() : word[...])
      try check(pattern, of: dialect, subject)
      if isDenied { denied.append(pattern) } else { allowed.append(pattern) }
    }
    return (Place(dialect: dialect, role: role, subject: subject), Patterns(allowed: allowed, denied: denied))
  }

  private static func unknown(_ word: String, _ what: String, _ known: [String]) -> LineError {
    LineError("has the \(what) '\(word.prefix(64))', which is none: write one of \(known.joined(separator: ", "))")
  }

  /// A pattern of another dialect would say nothing, and look as if it did.
  private static func check(_ pattern: String, of dialect: Dialect, _ subject: Subject) throws(LineError) {
    let name = pattern.last == "*" ? pattern.dropLast() : pattern[...]
    guard pattern == "*" || !name.isEmpty && !name.contains("*") && name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw LineError("has the pattern '\(pattern.prefix(64))': write a name, or the beginning of one with '*' behind it")
    }
    guard subject != .readings, pattern != "*" else { return }
    guard let type = try? EventType(pattern.last == "*" ? name + "x" : String(name)) else {
      throw LineError("has the pattern '\(pattern.prefix(64))', which matches no event type: letters, digits and . _ : - are wanted")
    }
    let owner = subject == .events ? Dialect(ofEvent: type) : Dialect(ofCommand: type)
    guard owner == dialect || (subject == .commands && dialect == .oht50) else {
      throw LineError(
        "has the pattern '\(pattern)', which is not of \(dialect.rawValue) but of \(owner.rawValue): write it into a line of \(owner.rawValue)"
      )
    }
  }
}
