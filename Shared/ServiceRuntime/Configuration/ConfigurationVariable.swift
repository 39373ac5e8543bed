/// One setting of a service: what `--help` says about it, and where its text is found.
///
/// A setting named `MARTLET_LOG_LEVEL` is given by that variable of the environment, by a member of that name in the JSON
/// file that `MARTLET_CONFIG_FILE` names, or by the option `--log-level`.
package struct ConfigurationVariable: Sendable, Hashable {
  /// The variable's name, `MARTLET_` and then `A-Z 0-9 _`.
  package let name: String
  /// The text that stands when nothing is given, or nil where the variable is required or optional.
  package let defaultText: String?
  /// What a number counts ("seconds", "bytes"), for `--help`.
  package let unit: String?
  /// What the variable is for: part of a sentence, without a full stop.
  package let meaning: String
  /// A secret is never shown and never taken from the command line. It may stand in the file that the variable with
  /// `_FILE` appended names.
  package let isSecret: Bool

  package init(_ name: String, default defaultText: String? = nil, unit: String? = nil, isSecret: Bool = false, meaning: String) {
    precondition(name.hasPrefix(Self.prefix), "\(name) does not begin with \(Self.prefix)")
    self.name = name
    self.defaultText = defaultText
    self.unit = unit
    self.meaning = meaning
    self.isSecret = isSecret
  }

  static let prefix = "MARTLET_"

  /// The variable that names a file with this secret in it.
  var fileName: String { name + "_FILE" }

  /// Every name under which a text for this variable may be given.
  var names: [String] { isSecret ? [name, fileName] : [name] }

  /// `MARTLET_LOG_LEVEL` as an option: `--log-level`.
  static func option(for name: String) -> String {
    "--" + name.dropFirst(prefix.count).lowercased().replacing("_", with: "-")
  }
}

/// The settings of one service: a struct that is read once at start, whole or not at all.
package protocol ServiceConfiguration: Sendable {
  /// What the service does, in one sentence, for `--help`.
  static var summary: String { get }
  /// The port of `/metrics`, `/livez` and `/readyz` when `MARTLET_ADMIN_PORT` does not say otherwise.
  static var adminPortDefault: Int { get }
  /// The service's own variables. Those of ``RuntimeConfiguration`` are added to them.
  static var variables: [ConfigurationVariable] { get }
  /// Reads and validates every variable.
  init(reading values: ConfigurationValues) throws(ConfigurationError)
}
