import Models
import RuleEvaluation
import Store
import Yams

/// What a file for `martletctl apply` declares; the command's help shows an example.
struct AccountsFile: Sendable, Equatable {
  struct UserEntry: Sendable, Equatable {
    var user: User
    /// The file with the user's password, as it was named; nil leaves the password as it is.
    var passwordFile: String?
    var place: Place
  }

  struct ApplianceEntry: Sendable, Equatable {
    var appliance: Appliance
    /// What a lab controller has besides; nil where nothing is said of it.
    var controller: ControllerSetup?
    var place: Place
  }

  struct RuleEntry: Sendable, Equatable {
    var rule: Rule
    var place: Place
  }

  /// Where in the file an entry stands.
  struct Place: Sendable, Equatable {
    /// `appliances[0]`.
    var path: String
    /// From 1.
    var line: Int?
  }

  var users: [UserEntry] = []
  var appliances: [ApplianceEntry] = []
  var rules: [RuleEntry] = []
  var webhooks: [WebhookEntry] = []

  static let bytesMax = 16 << 20

  /// Reads the text of a file.
  /// - Throws: ``AccountsFileError`` with every mistake that the text alone shows.
  init(parsing text: String) throws(AccountsFileError) {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw AccountsFileError(yaml: error) }
    var reader = AccountsReader()
    self = reader.file(root)
    guard reader.problems.isEmpty else { throw AccountsFileError(problems: reader.problems) }
  }

  init() {}

  /// Checks that every owner and everyone whom something is shared with is in the file or among `present`.
  func requireUsers(among present: Set<String>) throws(AccountsFileError) {
    let known = present.union(users.map(\.user.id))
    var problems = appliances.flatMap { entry in
      let named = entry.appliance.shares.keys.sorted().map { ("shared_with", $0) } + [("owner", entry.appliance.ownerID)]
      return named.filter { !known.contains($0.1) }.map { member, user in
        let place = Place(path: "\(entry.place.path).\(member)", line: entry.place.line)
        return AccountsFileError.Problem(place: place, text: "there is no user “\(user)”: add it under users")
      }
    }
    problems += webhooks.filter { !known.contains($0.ownerID) }.map { entry in
      let place = Place(path: "\(entry.place.path).owner", line: entry.place.line)
      return AccountsFileError.Problem(place: place, text: "there is no user “\(entry.ownerID)”: add it under users")
    }
    guard problems.isEmpty else { throw AccountsFileError(problems: problems) }
  }

  /// Checks that every appliance that a rule names is in the file or among `present`.
  func requireAppliances(among present: Set<String>) throws(AccountsFileError) {
    let known = present.union(appliances.map(\.appliance.id.rawValue))
    let problems = rules.flatMap { entry in
      entry.rule.scope.named.filter { !known.contains($0.name) }.map { path, name in
        let place = Place(path: "\(entry.place.path).\(path)", line: entry.place.line)
        return AccountsFileError.Problem(place: place, text: "there is no appliance “\(name)”: add it under appliances")
      }
    }
    guard problems.isEmpty else { throw AccountsFileError(problems: problems) }
  }

  func accounts() throws(StoreError) -> Accounts {
    let controllers = appliances.compactMap { entry in entry.controller.map { (entry.appliance.id, $0) } }
    return try Accounts(
      users: users.map(\.user), appliances: appliances.map(\.appliance), controllers: Dictionary(controllers) { $1 })
  }
}

/// Everything that is wrong with a file, each with its place.
struct AccountsFileError: Error, Sendable, Equatable, CustomStringConvertible {
  struct Problem: Sendable, Equatable, CustomStringConvertible {
    var place: AccountsFile.Place
    /// A clause that says what is wrong and what is wanted.
    var text: String

    var description: String {
      let line = place.line.map { "line \($0): " } ?? ""
      return line + (place.path.isEmpty ? text : "\(place.path): \(text)")
    }
  }

  /// More are counted, not told.
  static let toldMax = 20

  var problems: [Problem]

  init(problems: [Problem]) { self.problems = problems }

  init(yaml error: any Error) {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
      problems = [Problem(place: .init(path: "", line: mark.line), text: "this is not YAML: \(problem)")]
    case .duplicatedKeysInMapping(let duplicates, let context):
      let keys = duplicates.map { "“\($0)”" }.joined(separator: ", ")
      problems = [Problem(place: .init(path: "", line: context.mark.line), text: "\(keys) stands twice in one entry")]
    default:
      problems = [Problem(place: .init(path: "", line: nil), text: "this is not YAML text in UTF-8")]
    }
  }

  var description: String {
    let told = problems.prefix(Self.toldMax).map(\.description)
    let rest = problems.count > Self.toldMax ? ["and \(problems.count - Self.toldMax) more"] : []
    return (told + rest).joined(separator: "\n")
  }
}
