internal import Models

/// Why a frame is not acted on. It is logged with its raw bytes and counted as a mistake; whoever sent it is told nothing (the reefnet document, "Error handling").
enum ReefnetMisstep: Error, Equatable, CustomStringConvertible {
  case refused(ReefnetRefusal)
  /// From a module: another module's frame.
  case foreignModule(String)
  /// The first frame of a module is another one's: whoever has installed it made a mistake, and the connection ends.
  case wrongModule
  /// For a module that the user does not see, or for none where there are several.
  case noTarget(ApplianceID?)
  /// Too much came before it was known which modules there are.
  case tooEarly
  /// The user may not do that, or it is not valid.
  case notPermitted
  case notRenewed(RenewalError)

  var description: String {
    switch self {
    case .refused(let refusal): refusal.description
    case .foreignModule(let id): "The module_id '\(id.prefix(80))' is not that of the connection's credential"
    case .wrongModule: "The first frame's module_id is not that of the connection's credential"
    case .tooEarly: "Too many frames before the modules are known"
    case .noTarget: "A control for a module that is not among the user's, or for none where there is not exactly one"
    case .notPermitted: "A control that the user may not send to this module"
    case .notRenewed(let error): error.text
    }
  }
}
