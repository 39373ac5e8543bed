import Models
import RuleEvaluation
import ServiceRuntime
import Store
import Yams

/// Walks through the YAML of an accounts file and collects every mistake on the way.
struct AccountsReader {
  private(set) var problems: [AccountsFileError.Problem] = []

  private typealias Place = AccountsFile.Place

  mutating func file(_ root: Node?) -> AccountsFile {
    var file = AccountsFile()
    guard let root, root.null == nil else { return file }
    guard let members = members(root, known: ["users", "appliances", "rules", "webhooks"], at: "") else { return file }
    file.users = entries(members["users"], at: "users").compactMap { user($0, at: $1) }
    file.appliances = entries(members["appliances"], at: "appliances").compactMap { appliance($0, at: $1) }
    file.rules = entries(members["rules"], at: "rules").compactMap { rule($0, at: $1) }
    file.webhooks = entries(members["webhooks"], at: "webhooks").compactMap { webhook($0, at: $1) }
    refuseRepetitions(file.users.map { ($0.user.id, $0.place) }, of: "user")
    refuseRepetitions(file.appliances.map { ($0.appliance.id.rawValue, $0.place) }, of: "appliance")
    refuseRepetitions(file.rules.map { ($0.rule.id, $0.place) }, of: "rule")
    refuseRepetitions(file.webhooks.map { ("\($0.ownerID)/\($0.settings.name)", $0.place) }, of: "webhook")
    return file
  }

  private mutating func user(_ node: Node, at path: String) -> AccountsFile.UserEntry? {
    guard let members = members(node, known: ["id", "name", "role", "password_file"], at: path) else { return nil }
    let id = userID(members["id"], at: path + ".id", of: node)
    let name = optionalText(members["name"], at: path + ".name", default: id ?? "", wants: "a name")
    let role = word(members["role"], at: path + ".role", default: UserRole.viewer)
    let passwordFile = optionalText(members["password_file"], at: path + ".password_file", default: "", wants: "the name of a file")
    guard let id, let name, let role, let passwordFile else { return nil }
    return .init(
      user: User(id: id, name: name, role: role), passwordFile: passwordFile.isEmpty ? nil : passwordFile, place: Self.place(node, path))
  }

  private mutating func appliance(_ node: Node, at path: String) -> AccountsFile.ApplianceEntry? {
    let known: Set = ["id", "name", "dialect", "owner", "shared_with", "accepts_unproven", "sensors", "plugins"]
    guard let members = members(node, known: known, at: path) else { return nil }
    let id = applianceID(members["id"], at: path + ".id", of: node)
    let name = optionalText(members["name"], at: path + ".name", default: id?.rawValue ?? "", wants: "a name")
    let owner = userID(members["owner"], at: path + ".owner", of: node)
    let dialect = word(members["dialect"], at: path + ".dialect", default: Dialect.epicura)
    let shares = entries(members["shared_with"], at: path + ".shared_with").compactMap { share($0, at: $1) }
    if let owner, let list = members["shared_with"], shares.contains(where: { $0.user == owner }) {
      complain("is shared with its own owner “\(owner)”: leave that out", list, path + ".shared_with")
    }
    let acceptsUnproven = boolean(members["accepts_unproven"], at: path + ".accepts_unproven")
    if acceptsUnproven == true, let dialect, dialect != .signaling, let flag = members["accepts_unproven"] {
      complain("is for the dialect signaling only", flag, path + ".accepts_unproven")
    }
    guard let id, let name, let owner, let dialect, let acceptsUnproven else { return nil }
    let roles = Dictionary(shares.map { ($0.user, $0.role) }) { $1 }
    let appliance = Appliance(
      id: id, ownerID: owner, dialect: dialect, name: name, shares: roles, acceptsUnproven: acceptsUnproven)
    return .init(appliance: appliance, controller: controller(members, at: path), place: Self.place(node, path))
  }

  // MARK: Rules

  /// A rule has one grammar, that of its JSON.
  private mutating func rule(_ node: Node, at path: String) -> AccountsFile.RuleEntry? {
    do throws(RuleError) {
      return .init(rule: try Rule(parsing: node.json), place: Self.place(node, path))
    } catch {
      let member = error.path.isEmpty ? path : "\(path).\(error.path)"
      return complain(error.sentence, node, member)
    }
  }

  // MARK: Webhooks

  private mutating func webhook(_ node: Node, at path: String) -> AccountsFile.WebhookEntry? {
    let known: Set = ["name", "owner", "url", "event_types", "appliance_ids", "in_flight_max", "enabled", "secret_file"]
    guard let members = members(node, known: known, at: path) else { return nil }
    let name = text(members["name"], at: path + ".name", of: node, wants: "a name")
    let owner = userID(members["owner"], at: path + ".owner", of: node)
    let url = text(members["url"], at: path + ".url", of: node, wants: "an https:// address")
    let secretFile = text(members["secret_file"], at: path + ".secret_file", of: node, wants: "the name of a file with the secret")
    let isEnabled = boolean(members["enabled"], at: path + ".enabled", default: true)
    let inFlight = members["in_flight_max"].map { $0.int }
    let range = WebhookSettings.inFlightRange
    if let inFlight, !(inFlight.map { range.contains($0) } ?? false) {
      complain("is a whole number from \(range.lowerBound) to \(range.upperBound)", node, path + ".in_flight_max")
    }
    let types = entries(members["event_types"], at: path + ".event_types").compactMap { element, place in eventType(element, at: place) }
    let appliances = entries(members["appliance_ids"], at: path + ".appliance_ids").compactMap { applianceID($0, at: $1, of: $0) }
    guard let name, let owner, let url, let secretFile, let isEnabled else { return nil }
    guard WebhookSettings.namesRange_bytes.contains(name.utf8.count) else {
      return complain("must have 1 to \(WebhookSettings.namesRange_bytes.upperBound) bytes", node, path + ".name")
    }
    let settings = WebhookSettings(
      name: name, url: url, types: Set(types), appliances: Set(appliances),
      inFlightMax: (inFlight ?? nil) ?? WebhookSettings.inFlightDefault)
    return .init(
      ownerID: owner, settings: settings, isEnabled: isEnabled, secretFile: secretFile, place: Self.place(node, path))
  }

  private mutating func eventType(_ node: Node, at path: String) -> WebhookEventType? {
    guard let text = text(node, at: path, of: node, wants: "an event type") else { return nil }
    guard let type = WebhookEventType(rawValue: text), WebhookEventType.selectable.contains(type) else {
      let words = WebhookEventType.selectable.map(\.rawValue).joined(separator: ", ")
      return complain("“\(text.prefix(80))” is not known: one of \(words) is wanted", node, path)
    }
    return type
  }

  // MARK: Lab controllers

  private mutating func controller(_ members: [String: Node], at path: String) -> ControllerSetup? {
    guard members["sensors"] != nil || members["plugins"] != nil else { return nil }
    let sensors = members["sensors"].map { list in
      entries(list, at: path + ".sensors").compactMap { sensor($0, at: $1) }
    }
    let plugins = members["plugins"].map { list in
      entries(list, at: path + ".plugins").compactMap { plugin($0, at: $1) }
    }
    return ControllerSetup(sensors: sensors, plugins: plugins)
  }

  /// A sensor's id, or a mapping with `id`, `name` and `unit`.
  private mutating func sensor(_ node: Node, at path: String) -> Sensor? {
    guard case .mapping = node else { return publicID(node, at: path, of: node).map { Sensor(id: $0, name: $0, unit: "") } }
    guard let members = members(node, known: ["id", "name", "unit"], at: path) else { return nil }
    let id = publicID(members["id"], at: path + ".id", of: node)
    let name = optionalText(members["name"], at: path + ".name", default: id ?? "", wants: "a name")
    let unit = optionalText(members["unit"], at: path + ".unit", default: "", wants: "a unit")
    guard let id, let name, let unit else { return nil }
    return Sensor(id: id, name: name, unit: unit)
  }

  private mutating func plugin(_ node: Node, at path: String) -> Plugin? {
    guard let members = members(node, known: ["id", "name", "enabled", "sensors"], at: path) else { return nil }
    let id = publicID(members["id"], at: path + ".id", of: node)
    let name = optionalText(members["name"], at: path + ".name", default: id ?? "", wants: "a name")
    let enabled = boolean(members["enabled"], at: path + ".enabled", default: true)
    let sensors = entries(members["sensors"], at: path + ".sensors").compactMap { publicID($0, at: $1, of: $0) }
    guard let id, let name, let enabled else { return nil }
    return Plugin(id: id, name: name, isEnabled: enabled, sensorIDs: sensors)
  }

  /// The WebMACS document's public ids: 1 to 64 characters.
  private mutating func publicID(_ node: Node?, at path: String, of entry: Node) -> String? {
    guard let text = text(node, at: path, of: entry, wants: "an id") else { return nil }
    guard WebMACSDatapoints.isEventID(text) else {
      return complain("an id has 1 to \(WebMACSDatapoints.eventIDLengthMax) characters", node ?? entry, path)
    }
    return text
  }

  // MARK: Texts

  /// A user's id, or a mapping with `user` and `role`.
  private mutating func share(_ node: Node, at path: String) -> (user: String, role: ShareRole)? {
    guard case .mapping = node else { return userID(node, at: path, of: node).map { ($0, .account) } }
    guard let members = members(node, known: ["user", "role"], at: path) else { return nil }
    let user = userID(members["user"], at: path + ".user", of: node)
    let role = word(members["role"], at: path + ".role", default: ShareRole.account)
    guard let user, let role else { return nil }
    return (user, role)
  }

  /// 1 to 128 bytes of a token's `sub`, without control characters.
  private mutating func userID(_ node: Node?, at path: String, of entry: Node) -> String? {
    guard let text = text(node, at: path, of: entry, wants: "a user's id") else { return nil }
    guard (1...128).contains(text.utf8.count), text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      return complain("a user's id has 1 to 128 bytes and no control characters", node ?? entry, path)
    }
    return text
  }

  private mutating func applianceID(_ node: Node?, at path: String, of entry: Node) -> ApplianceID? {
    guard let text = text(node, at: path, of: entry, wants: "an appliance's id") else { return nil }
    do { return try ApplianceID(text) } catch {
      return complain("\(error)", node ?? entry, path)
    }
  }

  private mutating func word<Word: RawRepresentable<String> & CaseIterable>(_ node: Node?, at path: String, default word: Word) -> Word? {
    let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
    guard let text = optionalText(node, at: path, default: word.rawValue, wants: "one of \(words)") else { return nil }
    return Word(rawValue: text) ?? complain("“\(text.prefix(80))” is not known: one of \(words) is wanted", node, path)
  }

  /// False when left out.
  private mutating func boolean(_ node: Node?, at path: String, default value: Bool = false) -> Bool? {
    guard let node else { return value }
    guard let value = node.bool else { return complain("is neither true nor false", node, path) }
    return value
  }

  private mutating func optionalText(_ node: Node?, at path: String, default text: String, wants: String) -> String? {
    guard let node else { return text }
    return self.text(node, at: path, of: node, wants: wants)
  }

  /// A scalar that is a text or a number, as its text.
  private mutating func text(_ node: Node?, at path: String, of entry: Node, wants: String) -> String? {
    guard let node, node.null == nil else { return complain("is missing: \(wants)", node ?? entry, path) }
    guard case .scalar(let scalar) = node else { return complain("is not a text: \(wants) is wanted", node, path) }
    return scalar.string
  }

  private mutating func members(_ node: Node, known: Set<String>, at path: String) -> [String: Node]? {
    guard case .mapping(let mapping) = node else {
      return complain("is not a mapping with \(known.sorted().joined(separator: ", "))", node, path)
    }
    var members: [String: Node] = [:]
    for (key, value) in mapping {
      guard let name = key.string, known.contains(name) else {
        let name = key.string ?? "?"
        let hint = NearestName.find(name, in: known).map { "did you mean \($0)?" } ?? "known are \(known.sorted().joined(separator: ", "))"
        complain("“\(name.prefix(80))” is not known: \(hint)", key, path)
        continue
      }
      members[name] = value
    }
    return members
  }

  private mutating func entries(_ node: Node?, at path: String) -> [(Node, String)] {
    guard let node, node.null == nil else { return [] }
    guard case .sequence(let sequence) = node else {
      complain("is not a list", node, path)
      return []
    }
    return sequence.enumerated().map { ($1, "\(path)[\($0)]") }
  }

  private mutating func refuseRepetitions(_ entries: [(id: String, place: AccountsFile.Place)], of kind: String) {
    var first: [String: AccountsFile.Place] = [:]
    for (id, place) in entries {
      if let earlier = first[id] {
        problems.append(.init(place: place, text: "the \(kind) “\(id)” stands already in \(earlier.path)"))
      } else {
        first[id] = place
      }
    }
  }

  private static func place(_ node: Node, _ path: String) -> AccountsFile.Place { .init(path: path, line: node.mark?.line) }

  /// Notes a mistake, and answers nothing for whatever was to be read.
  @discardableResult
  private mutating func complain<Value>(_ text: String, _ node: Node?, _ path: String) -> Value? {
    problems.append(.init(place: .init(path: path, line: node?.mark?.line), text: text))
    return nil
  }

  private mutating func complain(_ text: String, _ node: Node, _ path: String) {
    problems.append(.init(place: Self.place(node, path), text: text))
  }
}
