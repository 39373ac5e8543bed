package import Models

/// What is noted of one connection: it says where that comes from and where it leads.
package struct AuditVoice: Sendable {
  private let trail: AuditTrail?
  private let endpoint: String
  private let address: String

  /// - Parameters:
  ///   - trail: nil notes nothing.
  ///   - endpoint: the path.
  ///   - address: the client's, behind trusted proxies.
  package init(_ trail: AuditTrail?, endpoint: String, address: String) {
    (self.trail, self.endpoint, self.address) = (trail, endpoint, address)
  }

  /// - Parameter detail: said behind the endpoint; never a credential.
  package func note(
    _ action: AuditEntry.Action, _ result: AuditEntry.Result = .done, userID: String? = nil, applianceID: String? = nil,
    commandID: String? = nil, detail: String = ""
  ) {
    trail?.note(
      action, result, userID: userID, applianceID: applianceID, commandID: commandID, address: address,
      detail: detail.isEmpty ? endpoint : "\(endpoint): \(detail)")
  }
}
