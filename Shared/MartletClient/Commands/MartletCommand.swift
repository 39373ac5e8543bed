public import Foundation
internal import Models

/// Something that an appliance is to do.
public struct MartletCommand: Hashable, Sendable {
  /// Such as `cooking:stop`.
  public let type: String
  /// A JSON object, as its text.
  public let data: Data?

  /// Any command that the appliance's dialect knows.
  ///
  /// - Parameters:
  ///   - type: such as `cooking:stop`.
  ///   - data: a JSON object, as its text (`JSONEncoder` makes one); with anything else it fails with `INVALID_COMMAND`.
  public init(type: String, data: Data? = nil) { (self.type, self.data) = (type, data) }

  /// Begins a session.
  public static func cookingStart(recipeID: String, spiceLevel: Int? = nil, servings: Int? = nil) -> Self {
    var text = Array("{\"recipe_id\":".utf8)
    text.append(json: recipeID)
    let customizations = [("spice_level", spiceLevel), ("servings", servings)].compactMap { name, value in value.map { "\"\(name)\":\($0)" }
    }
    if !customizations.isEmpty { text += Array(",\"customizations\":{\(customizations.joined(separator: ","))}".utf8) }
    text.append(UInt8(ascii: "}"))
    return Self(type: "cooking:start", data: Data(text))
  }

  public static let cookingPause = Self(type: "cooking:pause")
  public static let cookingResume = Self(type: "cooking:resume")
  /// Stops a cooker at once. It overtakes everything that waits.
  public static let cookingStop = Self(type: "cooking:stop")
  /// Stops a robot at once.
  public static let emergencyStop = Self(type: "emergency_stop")

  /// Whether `/ws` takes it (the Epicura document, "Client Events").
  var isSpoken: Bool { ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"].contains(type) }
  var isStop: Bool { [Self.cookingStop.type, Self.emergencyStop.type].contains(type) }
}

/// How far a command has come, in this order; the server may leave any out.
public enum CommandStep: String, CaseIterable, Comparable, Hashable, Sendable {
  /// The server has it, in its log.
  case requested
  /// On its way to the appliance.
  case sent
  /// The appliance's own word that it has acted.
  case acknowledged

  public static func < (left: Self, right: Self) -> Bool { allCases.prefix { $0 != right }.contains(left) }
}

/// The appliance has acted, in its own words.
public struct Acknowledgement: Hashable, Sendable {
  public let commandID: String
  public let message: String?
}

/// Why a command came to nothing.
public struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What a program goes by: the server's code in capitals. Those that are spelled out here are not all.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    /// The appliance is not connected; nothing was sent.
    public static let applianceOffline = Self(rawValue: "APPLIANCE_OFFLINE")
    /// The deadline passed without the appliance's word; whether it acted is unknown.
    public static let commandTimeout = Self(rawValue: "COMMAND_TIMEOUT")
    public static let notPermitted = Self(rawValue: "NOT_PERMITTED")
    public static let invalidCommand = Self(rawValue: "INVALID_COMMAND")
    /// The appliance refused.
    public static let rejected = Self(rawValue: "REJECTED")
    /// A stop came before it was sent.
    public static let superseded = Self(rawValue: "SUPERSEDED")
    /// Of the appliance, or of this client: too many commands have no outcome yet. A stop is never refused by this client.
    public static let tooManyCommands = Self(rawValue: "TOO_MANY_COMMANDS")
    /// This client's own: nothing was heard of it in time, the connection was lost too early, or the wait was cancelled. It may have been
    /// carried out.
    public static let outcomeUnknown = Self(rawValue: "OUTCOME_UNKNOWN")
    /// This client's own: there is no connection and no API, so nothing was sent.
    public static let notConnected = Self(rawValue: "NOT_CONNECTED")
    /// This client's own: there is no token any more, so nothing was sent.
    public static let signedOut = Self(rawValue: "SIGNED_OUT")
  }

  public let code: Code
  /// A sentence for the person who sent it.
  public let message: String

  public var description: String { "\(message) (\(code.rawValue))" }
}
