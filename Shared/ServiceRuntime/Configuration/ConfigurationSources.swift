import FoundationEssentials

/// Where texts for variables come from: the command line, the environment, and the file that `MARTLET_CONFIG_FILE` names.
package struct ConfigurationSources: Sendable {
  /// Texts by variable name, of options such as `--log-level debug`.
  let options: [String: String]
  /// The `MARTLET_…` variables of the environment that are not empty.
  let environment: [String: String]
  /// The members of the file.
  let file: [String: String]
  private let filePath: String?

  static let fileBytesMax = 1 << 20

  /// Reads the file if one is named.
  /// - Parameters:
  ///   - options: Texts by variable name; ``CommandLineOptions`` makes them of arguments.
  ///   - environment: The whole environment; what does not begin with `MARTLET_` is passed over.
  package init(options: [String: String] = [:], environment: [String: String]) throws(ConfigurationError) {
    self.options = options
    self.environment = environment.filter { $0.key.hasPrefix(ConfigurationVariable.prefix) && !$0.value.isEmpty }
    let name = RuntimeConfiguration.configFile.name
    self.filePath = options[name] ?? self.environment[name]
    self.file = try filePath.map { (path) throws(ConfigurationError) in try Self.members(of: path) } ?? [:]
  }

  /// How an error names the place where a variable's text was given.
  func origin(of name: String) -> String {
    if options[name] != nil { return ConfigurationVariable.option(for: name) }
    if environment[name] == nil, file[name] != nil, let filePath { return "\(name) in \(filePath)" }
    return name
  }

  /// One sentence for each given name that no service knows, with the nearest known name.
  package func warnings(known variables: [ConfigurationVariable]) -> [String] {
    let known = Set((variables + ConfigurationVariable.shared).flatMap(\.names))
    return Set(environment.keys).union(file.keys).subtracting(known).sorted().map { name in
      let hint = NearestName.find(name, in: known).map { ": did you mean \($0)?" } ?? "."
      return "\(origin(of: name)) is not a variable of this service and is ignored\(hint)"
    }
  }

  private static func members(of path: String) throws(ConfigurationError) -> [String: String] {
    func unusable(_ reason: String) -> ConfigurationError {
      ConfigurationError(
        code: .unusableFile, subject: RuntimeConfiguration.configFile.name,
        description: "\(RuntimeConfiguration.configFile.name) names the file \(path), which \(reason).")
    }
    let bytes: [UInt8]
    do { bytes = try BoundedFile.read(path, bytesMax: fileBytesMax) } catch { throw unusable(error.reason) }
    do {
      return try JSONDecoder().decode([String: Scalar].self, from: Data(bytes)).mapValues(\.text).filter { !$0.value.isEmpty }
    } catch DecodingError.typeMismatch(_, let context) {
      let member = context.codingPath.first.map { "in which \($0.stringValue) is not" } ?? "which does not hold an object whose members are"
      throw unusable("is JSON \(member) a text, a number, true or false")
    } catch {
      throw unusable("is not a JSON object like {\"MARTLET_LOG_LEVEL\": \"debug\"}")
    }
  }

  /// A member's value as the text that the environment would have had.
  private struct Scalar: Decodable {
    let text: String
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let value = try? container.decode(String.self) {
        text = value
      } else if let value = try? container.decode(Bool.self) {
        text = String(value)
      } else if let value = try? container.decode(Int.self) {
        text = String(value)
      } else if let value = try? container.decode(Double.self) {
        text = String(value)
      } else {
        throw DecodingError.typeMismatch(
          String.self, .init(codingPath: decoder.codingPath, debugDescription: "not a text, a number, true or false"))
      }
    }
  }
}
