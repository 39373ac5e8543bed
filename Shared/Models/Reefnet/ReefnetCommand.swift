/// The commands of the reefnet document's `control`. On the bus each is a command of its own type, `reefnet:set_param` and so on, whose `data` is a UI's frame, or no more than
/// what is to stand in its `payload`.
package enum ReefnetCommand: String, Hashable, Sendable, CaseIterable {
  case setParam = "set_param"
  case configRequest = "config_request"
  case moduleManifestRequest = "module_manifest_request"
  case statusRequest = "status_request"
  case ping

  private static let prefix = "reefnet:"

  package var type: EventType { EventType(known: Self.prefix + rawValue) }

  package init?(_ type: EventType) {
    guard type.rawValue.hasPrefix(Self.prefix) else { return nil }
    self.init(rawValue: String(type.rawValue.dropFirst(Self.prefix.count)))
  }

  /// Whether legacy peers send it as the frame's own `type`.
  var isLegacyType: Bool { self == .setParam || self == .configRequest || self == .moduleManifestRequest }

  /// The document's `control` frame for a command of the bus; nil for a command of another dialect. What a UI wrote beside the command is carried on, in its place. `command_id` and
  /// `expires_at` are beyond the document: a module that knows them can tell a command that comes again, or late.
  package static func frame(of command: Command) -> [UInt8]? {
    guard let name = Self(command.type), let data = try? JSONObject(parsing: command.data) else { return nil }
    let payload = data.object("payload")
    var text: [UInt8] = []
    text.append("{\"protocol\":")
    text.append(json: ReefnetFrame.protocolVersion)
    text.append(",\"module_id\":")
    text.append(json: command.applianceID.rawValue)
    text.append(",\"submodule_id\":")
    text.append(json: data.string("submodule_id") ?? command.applianceID.rawValue)
    text.append(",\"type\":\"control\",\"sent_at\":")
    text.append(json: command.issuedAt.iso8601)
    text.append(",\"payload\":{\"command\":")
    text.append(json: name.rawValue)
    append(payload ?? data, except: payload == nil ? envelope : ["command"], to: &text)
    text.append(UInt8(ascii: "}"))
    if payload != nil { append(data, except: envelope, to: &text) }
    text.append(",\"command_id\":")
    text.append(json: command.id)
    text.append(",\"expires_at\":")
    text.append(json: command.expiresAt.iso8601)
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// What is written anew. A UI's own name for its request is not the module's business.
  private static let envelope: Set<String> = [
    "protocol", "module_id", "submodule_id", "type", "sent_at", "payload", "command", "command_id", "expires_at", "request_id",
  ]

  private static func append(_ object: JSONObject, except names: Set<String>, to text: inout [UInt8]) {
    for member in object.members where !names.contains(member.name) {
      text.append(UInt8(ascii: ","))
      text += object.text(of: member)
    }
  }
}
