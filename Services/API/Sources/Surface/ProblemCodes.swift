import HTTPTypes

/// The one table of problems: status, title, and what each means.
extension Problem.Code {
  var status: HTTPResponse.Status {
    switch self {
    case .malformedRequest, .invalidParameter, .invalidCursor: .badRequest
    case .authenticationRequired, .invalidToken, .tokenRevoked, .accountGone, .invalidCredentials, .invalidRefreshToken: .unauthorized
    case .notPermitted: .forbidden
    case .notFound, .applianceNotFound, .userNotFound, .shareNotFound, .commandNotFound, .sessionNotFound, .presenceNotFound,
      .webhookNotFound, .deliveryNotFound, .sensorNotFound, .pluginNotFound, .experimentNotFound, .ruleNotFound,
      .alarmNotFound:
      .notFound
    case .methodNotAllowed: .methodNotAllowed
    case .notAcceptable: .notAcceptable
    case .bodyTooSlow: .requestTimeout
    case .alreadyExists, .stillInUse, .webhookDisabled, .wrongDialect, .limitReached: .conflict
    case .bodyTooLarge: .contentTooLarge
    case .unsupportedMediaType: .unsupportedMediaType
    case .invalidBody, .invalidCommand: .unprocessableContent
    case .tooManyAttempts, .tooManyRequests: .tooManyRequests
    case .internalError: .internalServerError
    case .unavailable: .serviceUnavailable
    }
  }

  /// `appliance_not_found` → `Appliance not found`.
  var title: String {
    let words = rawValue.replacing("_", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// What it means and what would help.
  var meaning: String {
    switch self {
    case .malformedRequest: "The request is not what HTTP or JSON ask for."
    case .invalidParameter: "A parameter is not known, stands twice, or has a value that it does not take."
    case .invalidCursor: "The cursor is none that this same question was answered with: begin again without it."
    case .authenticationRequired: "Send a token in the header: Authorization: Bearer …"
    case .invalidToken: "The token is not valid or has expired: refresh it or log in."
    case .tokenRevoked: "The token has been revoked: log in."
    case .accountGone: "The user that the token names does not exist."
    case .invalidCredentials: "There is no such user, or the password is wrong."
    case .invalidRefreshToken: "The refresh token is not valid, has expired, or was used before, which ends all that came of it: log in."
    case .notPermitted: "The user may not do this."
    case .notFound: "There is nothing at this path."
    case .applianceNotFound: "There is no such appliance among those that the user may see."
    case .userNotFound: "There is no such user, or the caller may not know."
    case .shareNotFound: "The appliance is not shared with this user."
    case .commandNotFound: "The appliance has no such command."
    case .sessionNotFound: "The appliance has no such session."
    case .presenceNotFound: "The appliance is no camera, so it has no presence."
    case .webhookNotFound: "There is no such webhook among the caller's."
    case .deliveryNotFound: "The webhook has no such delivery; they are forgotten after a time."
    case .sensorNotFound: "The controller has no such sensor."
    case .pluginNotFound: "The controller has no such plugin."
    case .experimentNotFound: "The controller has no such experiment."
    case .wrongDialect: "The appliance is no lab controller, or a sensor that is named is none of its own."
    case .ruleNotFound: "There is no such rule."
    case .alarmNotFound: "The appliance has no such alarm."
    case .methodNotAllowed: "The path does not have this method; the header Allow lists those that it has."
    case .notAcceptable: "The answer cannot be had in a form that the header Accept allows."
    case .alreadyExists: "Something with this id exists already."
    case .stillInUse: "Something else still needs it: remove that first."
    case .webhookDisabled: "The webhook is disabled: enable it first."
    case .limitReached: "There are as many as there may be: remove one first."
    case .bodyTooLarge: "The body is larger than this request may be."
    case .bodyTooSlow: "The body did not arrive in time."
    case .unsupportedMediaType: "The body must be application/json, in UTF-8."
    case .invalidBody: "The body is JSON but not what is wanted: errors names each place."
    case .invalidCommand: "The appliance's dialect has no such command, or its data is not what the command wants."
    case .tooManyAttempts: "Too many logins: the header Retry-After says when to try again."
    case .tooManyRequests: "Too many of these at a time: the header Retry-After says when to try again."
    case .internalError: "Something broke here; the log has the reason under the answer's X-Request-ID."
    case .unavailable: "A database does not answer in time: the same request may work in a moment."
    }
  }
}
