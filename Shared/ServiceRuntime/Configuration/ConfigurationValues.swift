import Configuration
import FoundationEssentials

/// The texts that were given for a service's variables, and the typed reading of them.
///
/// The order of precedence is command line, environment, file, default. An empty text counts as not given, as deployment
/// tools pass unset variables on that way.
package struct ConfigurationValues: Sendable {
  private let reader: ConfigReader
  private let sources: ConfigurationSources
  /// Of the secrets that were asked for.
  let secretFiles = SecretFiles()

  /// - Parameter sources: What ``ConfigurationSources`` found; tests give `ConfigurationSources(environment: […])`.
  package init(_ sources: ConfigurationSources) {
    self.sources = sources
    self.reader = ConfigReader(providers: [
      InMemoryProvider(name: "command line", values: Self.values(sources.options)),
      EnvironmentVariablesProvider(environmentVariables: sources.environment),
      InMemoryProvider(name: "file", values: Self.values(sources.file)),
    ])
  }

  private static func values(_ texts: [String: String]) -> [AbsoluteConfigKey: ConfigValue] {
    var values: [AbsoluteConfigKey: ConfigValue] = [:]
    for (name, text) in texts { values[AbsoluteConfigKey([name])] = ConfigValue(.string(text), isSecret: false) }
    return values
  }

  private func text(_ name: String, isSecret: Bool = false) -> String? {
    reader.string(forKey: ConfigKey([name]), isSecret: isSecret)
  }

  /// The variable's text or its default, or nil when there is neither. Throws nothing: any text will do.
  package func optionalString(_ variable: ConfigurationVariable) -> String? {
    precondition(!variable.isSecret, "\(variable.name) is a secret: read it as one")
    return text(variable.name) ?? variable.defaultText
  }

  /// The variable's text or its default.
  package func string(_ variable: ConfigurationVariable) throws(ConfigurationError) -> String {
    guard let text = optionalString(variable) else { throw missing(variable) }
    return text
  }

  /// A whole number within `range`.
  package func integer(_ variable: ConfigurationVariable, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
    let text = try string(variable)
    guard let value = Int(text), range.contains(value) else {
      throw invalid(variable, wants: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A TCP port, 0 for any free one.
  package func port(_ variable: ConfigurationVariable) throws(ConfigurationError) -> Int {
    try integer(variable, in: 0...65535)
  }

  /// A number of seconds, fractions allowed, within `range`.
  package func seconds(_ variable: ConfigurationVariable, in range: ClosedRange<Double>) throws(ConfigurationError) -> Duration {
    let text = try string(variable)
    guard let value = Double(text), range.contains(value) else {
      throw invalid(variable, wants: "a number of seconds from \(range.lowerBound.formattedPlain) to \(range.upperBound.formattedPlain)")
    }
    return .microseconds(Int64((value * 1_000_000).rounded()))
  }

  /// `true` or `false`, also written `yes`, `no`, `on`, `off`, `1` or `0`.
  package func boolean(_ variable: ConfigurationVariable) throws(ConfigurationError) -> Bool {
    switch try string(variable).lowercased() {
    case "true", "yes", "on", "1": return true
    case "false", "no", "off", "0": return false
    default: throw invalid(variable, wants: "true or false")
    }
  }

  /// One of an enumeration's words.
  package func choice<Choice>(_ variable: ConfigurationVariable, _: Choice.Type = Choice.self) throws(ConfigurationError) -> Choice
  where Choice: RawRepresentable<String> & CaseIterable {
    guard let choice = Choice(rawValue: try string(variable)) else {
      throw invalid(variable, wants: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return choice
  }

  /// A value with a syntax of its own: `parse` answers nil for, or throws at, a text that it does not take.
  /// - Parameter wants: What the variable takes, for the error: "a URL like redis://host:6379".
  package func parsed<Value>(
    _ variable: ConfigurationVariable, wants: String, by parse: (String) throws -> Value?
  ) throws(ConfigurationError) -> Value {
    let text = try string(variable)
    var reason: String?
    do {
      if let value = try parse(text) { return value }
    } catch {
      reason = String(describing: error)
    }
    throw invalid(variable, wants: wants, because: reason)
  }

  /// The secret, or nil when none is given. A file's last line break is not part of it.
  package func optionalSecret(_ variable: ConfigurationVariable) throws(ConfigurationError) -> String? {
    try followedSecret(variable)?.current()
  }

  /// The secret, to be read anew where it is used, so that it can change while the service runs; nil when none is given.
  package func followedSecret(_ variable: ConfigurationVariable) throws(ConfigurationError) -> FollowedSecret<String>? {
    try followedSecret(variable, wants: "a text") { $0 }
  }

  /// A secret that has a form: `parse` answers nil for a text that is not of it.
  /// - Parameter form: what the text must be, for an error: "at least 32 bytes".
  package func followedSecret<Value>(
    _ variable: ConfigurationVariable, wants form: String, by parse: @escaping @Sendable (String) -> Value?
  ) throws(ConfigurationError) -> FollowedSecret<Value>? {
    precondition(variable.isSecret, "\(variable.name) is not declared as a secret")
    let inline = text(variable.name, isSecret: true)
    guard let path = text(variable.fileName) else {
      guard let inline else { return nil }
      guard let value = parse(inline) else { throw invalid(variable, wants: form) }
      return FollowedSecret(value)
    }
    guard inline == nil else {
      throw ConfigurationError(
        code: .ambiguous, subject: variable.name,
        description: "\(variable.name) and \(variable.fileName) are both given: keep one of them.")
    }
    do {
      let secret = try FollowedSecret(file: path, wants: form, by: parse)
      secretFiles.add(secret, named: variable.fileName)
      return secret
    } catch {
      throw ConfigurationError(
        code: .unusableFile, subject: variable.fileName, description: "\(variable.fileName) names the file \(path), which \(error.reason).")
    }
  }

  /// The secret; an error when none is given.
  package func secret(_ variable: ConfigurationVariable) throws(ConfigurationError) -> String {
    guard let secret = try optionalSecret(variable) else { throw missing(variable) }
    return secret
  }

  /// The error for a variable that must be given and is not.
  package func missing(_ variable: ConfigurationVariable) -> ConfigurationError {
    let remedy = variable.isSecret ? "give it, or name a file that holds it in \(variable.fileName)" : "give it"
    return ConfigurationError(
      code: .missing, subject: variable.name, description: "\(variable.name) is not set (\(variable.meaning)): \(remedy).")
  }

  /// The error for a text that parses but does not fit the rest, for a configuration's own checks.
  /// - Parameter wants: What the variable takes: "one of json, plain".
  package func invalid(_ variable: ConfigurationVariable, wants: String, because reason: String? = nil) -> ConfigurationError {
    let why = reason.map { " (\($0.last == "." ? String($0.dropLast()) : $0))" } ?? ""
    let got = variable.isSecret ? "cannot be used" : "is “\(shown(variable))”"
    return ConfigurationError(
      code: .invalid, subject: variable.name,
      description: "\(sources.origin(of: variable.name)) \(got)\(why), but wants \(wants).")
  }

  /// The text for an error, cut, and without what may be a password inside an address.
  private func shown(_ variable: ConfigurationVariable) -> String {
    var text = optionalString(variable) ?? ""
    if let at = text.lastIndex(of: "@") {
      // Even where it is no proper address: what stands before the @ may be one that was mistyped.
      let start = text.firstRange(of: "://").map { min($0.upperBound, at) } ?? text.startIndex
      text.replaceSubrange(start..<at, with: "…")
    } else if text.lowercased().contains("password") {
      return "(not shown: it holds a password)"
    }
    return text.count > 120 ? text.prefix(120) + "…" : text
  }
}

extension Double {
  /// Without the `.0` of a whole number.
  fileprivate var formattedPlain: String {
    Int(exactly: self).map(String.init) ?? String(self)
  }
}
