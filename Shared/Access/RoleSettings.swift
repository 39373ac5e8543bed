package import Models
package import ServiceRuntime

/// Where a service has its table of roles from.
package enum RoleSettings {
  package static let file = ConfigurationVariable(
    "MARTLET_ROLES_FILE",
    meaning:
      "table of which events, commands and readings each role has, one line like 'oht50 viewer events * !config.*' for each; the defaults when unset"
  )

  /// The table in the file; the defaults without one. Throws with the line that is wrong, and what it wants.
  package static func table(reading values: ConfigurationValues) throws(ConfigurationError) -> RoleTable {
    guard let path = values.optionalString(file) else { return .standard }
    func unusable(_ reason: String) -> ConfigurationError {
      ConfigurationError(code: .unusableFile, subject: file.name, description: "\(file.name) names the file \(path), which \(reason).")
    }
    let bytes: [UInt8]
    do { bytes = try BoundedFile.read(path, bytesMax: 256 * 1024) } catch { throw unusable(error.reason) }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw unusable("is not UTF-8 text") }
    do { return try RoleTable(parsing: text) } catch { throw unusable("is no table of roles: \(error)") }
  }
}
