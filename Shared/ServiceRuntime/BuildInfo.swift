/// What this build is.
package enum BuildInfo {
  package static let version = "0.1.0"

  /// The compiler's language version, for `martlet_build_info`.
  static var swiftVersion: String {
    #if swift(>=6.4)
      "6.4"
    #elseif swift(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}

/// How a process of ours ends.
package enum ExitStatus {
  package static let success: Int32 = 0
  /// It could not start, a part of it failed, or its drain was cut at the deadline.
  package static let failure: Int32 = 1
  /// The configuration cannot be used (`EX_CONFIG` of sysexits.h).
  package static let configuration: Int32 = 78
}
