import Access
import HTTPTypes
import Hummingbird
import Models

/// Logging in, staying in, logging out.
struct LoginRoutes: Sendable {
  let passwords: PasswordDesk
  let tokens: TokenDesk
  let announcer: Announcer
  let audit: RequestAudit

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .post, path: "/api/v1/auth/login", id: "login", group: .login, summary: "Gives tokens for a user's id and password.",
          admittance: .anyone,
          body: .init(
            schema: .named(
              "Login", .object([.required("user_id", .opaque(1...255)), .required("password", .opaque(1...256))])), bytesMax: 4096),
          answer: .init(status: .ok, note: "The tokens.", content: .json(Shapes.tokens)),
          problems: [.invalidCredentials, .tooManyAttempts, .tooManyRequests]), login),
      Route(
        Operation(
          method: .post, path: "/api/v1/auth/refresh", id: "refresh", group: .login,
          summary: "Gives new tokens for a refresh token, which is used up. One that was used before ends all that came of its login.",
          admittance: .anyone,
          body: .init(schema: .named("Refresh", .object([.required("refresh_token", .opaque(1...128))])), bytesMax: 4096),
          answer: .init(status: .ok, note: "The tokens.", content: .json(Shapes.tokens)), problems: [.invalidRefreshToken]), refresh),
      Route(
        Operation(
          method: .post, path: "/api/v1/auth/logout", id: "logout", group: .login,
          summary: "Revokes this token on every replica, and with it the login that the refresh token belongs to, if one is given.",
          body: .init(
            schema: .named("Logout", .object([.optional("refresh_token", .opaque(1...128))])), bytesMax: 4096, isOptional: true),
          answer: .init(status: .noContent, note: "Logged out.")), logout),
    ]
  }

  private func login(_ call: Call) async throws -> Response {
    let user = call.body.string("user_id") ?? ""
    do {
      try await passwords.require(call.body.string("password") ?? "", of: user, from: call.clientAddress)
      let answer = Response.json(try await tokens.begin(user))
      audit.loggedIn(user, nil, from: call.clientAddress)
      return answer
    } catch let problem as Problem {
      audit.loggedIn(user, problem, from: call.clientAddress)
      throw problem
    }
  }

  private func refresh(_ call: Call) async throws -> Response {
    .json(try await tokens.rotate(call.body.string("refresh_token") ?? ""))
  }

  private func logout(_ call: Call) async throws -> Response {
    let principal = try call.user().principal
    try await tokens.end(principal, refreshToken: call.body.string("refresh_token"))
    if let tokenID = principal.tokenID { await announcer.changed(.token(tokenID, ofUser: principal.subject)) }
    return .noContent
  }
}
