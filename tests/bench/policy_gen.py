#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes policy sets, entities and requests for the policy bench: policy_gen.py SCENARIO DIR [N] [SEED].
Writes DIR/policies.cedar, entities.json, schema.cedarschema, requests.json (without answers: the peer gives them). The same
arguments give the same files.
  mixed      N policies about tools: roles and teams by anchors, global forbids, patterns, sets, thresholds
  anchored   N policies, each of which names a principal or a resource
  equality   N policies that name nobody and compare one context attribute with a constant
  gdrive     documents and folders, seen and owned through sets of users' attributes and shares
  github     repositories whose user groups are attributes of the resource
  tinytodo   task lists with readers and editors, teams and an owner
"""
import json
import os
import random
import sys

TOOL_SCHEMA = """entity Role; entity Team in [Org]; entity Org;
entity Agent in [Role, Team] { trusted: Bool, level: Long };
entity Server in [Org] { env: String };
entity ToolGroup;
entity Tool in [Server, ToolGroup] { sensitivity: String, destructive: Bool };
type Ctx = { src: ipaddr, path: String, tool: String, scopes: Set<String>, risk?: Long, session: { id: String, age: Long }, now: datetime };
action call_tool, read_resource, list_tools appliesTo { principal: [Agent], resource: [Tool], context: Ctx };
"""
ACTIONS = ["call_tool", "read_resource", "list_tools"]


def uid(kind, name):
    return {"type": kind, "id": name}


def entity(kind, name, attrs=None, parents=()):
    return {"uid": uid(kind, name), "attrs": attrs or {}, "parents": list(parents)}


def ref(kind, name):
    return {"__entity": uid(kind, name)}


# --- tools ---------------------------------------------------------------------------------------

def tool_entities(rnd):
    out = [entity("Org", "o0")]
    out += [entity("Role", f"r{i}") for i in range(50)]
    out += [entity("Team", f"t{i}", parents=[uid("Org", "o0")]) for i in range(20)]
    out += [entity("Server", f"s{i}", {"env": rnd.choice(["dev", "prod"])}, [uid("Org", "o0")]) for i in range(30)]
    out += [entity("ToolGroup", f"g{i}") for i in range(40)]
    for i in range(300):
        roles = rnd.sample(range(50), 2)
        out.append(entity("Agent", f"a{i}", {"trusted": rnd.random() < 0.5, "level": rnd.randrange(10)},
                          [uid("Role", f"r{r}") for r in roles] + [uid("Team", f"t{i % 20}")]))
    for i in range(559):
        out.append(entity("Tool", f"x{i}", {"sensitivity": rnd.choice(["low", "mid", "high"]), "destructive": rnd.random() < 0.3},
                          [uid("Server", f"s{i % 30}"), uid("ToolGroup", f"g{i % 40}")]))
    return out


def by_role(rnd):
    return (f'permit(principal in Role::"r{rnd.randrange(50)}", action == Action::"{rnd.choice(ACTIONS)}", '
            f'resource in ToolGroup::"g{rnd.randrange(40)}") when {{ context.path like "/srv/p{rnd.randrange(40)}/*" && '
            f'context.scopes.contains("scope{rnd.randrange(20)}") }};')


def by_name(rnd):
    return (f'permit(principal == Agent::"a{rnd.randrange(300)}", action in [Action::"call_tool", Action::"read_resource"], '
            f'resource == Tool::"x{rnd.randrange(559)}");')


def by_server(rnd):
    return (f'forbid(principal, action, resource in Server::"s{rnd.randrange(30)}") when {{ '
            f'!(context.src.isInRange(ip("10.{rnd.randrange(256)}.0.0/16"))) && context.session.age > {rnd.randrange(60, 900)} }};')


def by_team(rnd):
    return (f'permit(principal in Team::"t{rnd.randrange(20)}", action, resource is Tool in Server::"s{rnd.randrange(30)}") when {{ '
            f'principal.level >= {rnd.randrange(10)} && ["alpha{rnd.randrange(8)}","beta","gamma"].containsAny(context.scopes) }} '
            'unless { context.path like "*/../*" || resource.destructive };')


def by_risk(rnd):
    return ('forbid(principal is Agent, action == Action::"call_tool", resource) when { context has risk && '
            f'context.risk > {rnd.randrange(100)} && resource.sensitivity == "high" && !principal.trusted }};')


def by_tool(rnd):
    return ('forbid(principal, action == Action::"call_tool", resource) when { '
            f'context.tool like "*delete{rnd.randrange(1000)}*" && !principal.trusted }};')


def by_tenant(rnd, n):
    return (f'{rnd.choice(["permit", "forbid"])}(principal, action, resource) when {{ context.session.id == "s{n}" && '
            f'context.path like "/srv/p{rnd.randrange(4)}*" }};')


def tool_policies(rnd, scenario, n):
    kinds = [(by_role, 40), (by_name, 15), (by_server, 15), (by_team, 15)]
    if scenario == "mixed":
        kinds += [(by_risk, 10), (by_tool, 5)]
    if scenario == "equality":
        return [by_tenant(rnd, i) for i in range(n)]
    makers, weights = zip(*kinds)
    return [maker(rnd) for maker in rnd.choices(makers, weights, k=n)]


def tool_request(rnd, scenario, n):
    context = {"src": {"__extn": {"fn": "ip", "arg": f"10.{rnd.randrange(256)}.{rnd.randrange(256)}.{rnd.randrange(256)}"}},
               "path": f"/srv/p{rnd.randrange(40)}/data/file{rnd.randrange(1000)}.txt",
               "tool": rnd.choice(["fs.read", "fs.write", "db.delete_row", f"db.delete{rnd.randrange(1000)}"]),
               "scopes": [rnd.choice([f"scope{rnd.randrange(20)}", "beta", "alpha1"]) for _ in range(rnd.randrange(3))]}
    if rnd.random() < 0.5:
        context["risk"] = rnd.randrange(100)
    session = rnd.randrange(n) if scenario == "equality" else rnd.randrange(1000000)
    context["session"] = {"id": f"s{session}", "age": rnd.randrange(900)}
    context["now"] = {"__extn": {"fn": "datetime", "arg": "2026-10-15T11:38:02Z"}}
    return {"principal": uid("Agent", f"a{rnd.randrange(300)}"), "action": uid("Action", rnd.choice(ACTIONS)),
            "resource": uid("Tool", f"x{rnd.randrange(559)}"), "context": context}


def tools(rnd, scenario, n):
    return (tool_policies(rnd, scenario, n), tool_entities(rnd), TOOL_SCHEMA,
            [tool_request(rnd, scenario, n) for _ in range(512)])


# --- documents: who may see is in the folders and in views that a user or a group was given ---------

GDRIVE_SCHEMA = """entity User in [Group] { documentsAndFoldersWithViewAccess: View, ownedDocuments: Set<Document>, ownedFolders: Set<Folder> };
entity Group in [Group] { documentsAndFoldersWithViewAccess: View };
entity View;
entity Document in [View, Folder] { isPublic: Bool };
entity Folder in [View, Folder];
action readDocument, writeDocument, createDocumentIn, changeOwner appliesTo { principal: [User], resource: [Document, Folder] };
"""
GDRIVE = """permit(principal, action == Action::"readDocument", resource) when { resource in principal.documentsAndFoldersWithViewAccess };
permit(principal, action == Action::"readDocument", resource) when { resource is Document && resource.isPublic };
permit(principal, action in [Action::"readDocument", Action::"writeDocument", Action::"changeOwner"], resource)
when { principal.ownedDocuments.contains(resource) };
permit(principal, action in [Action::"readDocument", Action::"writeDocument"], resource) when { resource in principal.ownedFolders };
permit(principal, action == Action::"createDocumentIn", resource) when { principal.ownedFolders.contains(resource) };
"""


def gdrive(rnd, n):
    users, folders, docs = range(n), range(max(1, n // 2)), range(n * 2)
    out = [entity("Group", f"g{i}", {"documentsAndFoldersWithViewAccess": ref("View", f"vg{i}")}) for i in range(max(1, n // 4))]
    out += [entity("View", f"v{i}") for i in users]
    for i in folders:
        parents = [uid("View", f"v{rnd.choice(users)}")]
        if i and rnd.random() < 0.5:
            parents.append(uid("Folder", f"f{rnd.randrange(i)}"))
        out.append(entity("Folder", f"f{i}", {}, parents))
    for i in docs:
        out.append(entity("Document", f"d{i}", {"isPublic": rnd.random() < 0.1},
                          [uid("Folder", f"f{rnd.choice(folders)}"), uid("View", f"v{rnd.choice(users)}")]))
    for i in users:
        out.append(entity("User", f"u{i}", {
            "documentsAndFoldersWithViewAccess": ref("View", f"v{i}"),
            "ownedDocuments": [ref("Document", f"d{d}") for d in sorted(rnd.sample(list(docs), 2))],
            "ownedFolders": [ref("Folder", f"f{f}") for f in sorted(rnd.sample(list(folders), 1))]},
            [uid("Group", f"g{i % max(1, n // 4)}")]))
    requests = []
    for _ in range(512):
        action = rnd.choice(["readDocument", "writeDocument", "changeOwner", "createDocumentIn"])
        on = uid("Folder", f"f{rnd.choice(folders)}") if action == "createDocumentIn" else uid("Document", f"d{rnd.choice(docs)}")
        requests.append({"principal": uid("User", f"u{rnd.choice(users)}"), "action": uid("Action", action), "resource": on, "context": {}})
    return GDRIVE.splitlines(), out, GDRIVE_SCHEMA, requests


# --- repositories: each names the groups of its readers, writers and so on -------------------------

GITHUB_ROLES = ["readers", "triagers", "writers", "maintainers", "admins"]
GITHUB_ACTIONS = {"pull": 0, "fork": 0, "push": 2, "delete_issue": 3, "edit_issue": 2, "assign_issue": 1,
                  "add_reader": 4, "add_admin": 4}


def github(rnd, n):
    schema = ("entity User in [UserGroup, Team]; entity Team in [Team, UserGroup]; entity UserGroup in [UserGroup];\n"
              "entity Repository { " + ", ".join(f"{r}: UserGroup" for r in GITHUB_ROLES) + " };\n"
              "entity Issue { repo: Repository, reporter: User };\n"
              "action pull, fork, push, add_reader, add_admin appliesTo { principal: [User], resource: [Repository] };\n"
              "action delete_issue, edit_issue, assign_issue appliesTo { principal: [User], resource: [Issue] };\n")
    policies = []
    for action, role in GITHUB_ACTIONS.items():
        of = "resource.repo" if "issue" in action else "resource"
        policies.append(f'permit(principal, action == Action::"{action}", resource) when {{ principal in {of}.{GITHUB_ROLES[role]} }}'
                        + (' ;' if action != "edit_issue" else ' ;\npermit(principal, action == Action::"edit_issue", resource) '
                           'when { principal == resource.reporter && principal in resource.repo.readers };'))
    repos, teams, users = range(max(2, n // 4)), range(max(2, n // 4)), range(n)
    out = []
    for i in repos:
        for k, role in enumerate(GITHUB_ROLES):
            # Who may more may less: the stronger group lies within the weaker.
            out.append(entity("UserGroup", f"{role}{i}", {}, [uid("UserGroup", f"{GITHUB_ROLES[k - 1]}{i}")] if k else []))
        out.append(entity("Repository", f"repo{i}", {r: ref("UserGroup", f"{r}{i}") for r in GITHUB_ROLES}))
    for i in teams:
        out.append(entity("Team", f"team{i}", {}, [uid("UserGroup", f"{rnd.choice(GITHUB_ROLES)}{rnd.choice(repos)}")]))
    for i in users:
        out.append(entity("User", f"u{i}", {}, [uid("Team", f"team{rnd.choice(teams)}"),
                                               uid("UserGroup", f"{rnd.choice(GITHUB_ROLES)}{rnd.choice(repos)}")]))
    for i in range(n):
        out.append(entity("Issue", f"i{i}", {"repo": ref("Repository", f"repo{rnd.choice(repos)}"),
                                             "reporter": ref("User", f"u{rnd.choice(users)}")}))
    requests = []
    for _ in range(512):
        action = rnd.choice(list(GITHUB_ACTIONS))
        on = uid("Issue", f"i{rnd.randrange(n)}") if "issue" in action else uid("Repository", f"repo{rnd.choice(repos)}")
        requests.append({"principal": uid("User", f"u{rnd.choice(users)}"), "action": uid("Action", action), "resource": on, "context": {}})
    return "\n".join(policies).splitlines(), out, schema, requests


# --- task lists -------------------------------------------------------------------------------------

TASKS_SCHEMA = """entity Application;
entity User in [Team, Application]; entity Team in [Team, Application];
entity List in [Application] { owner: User, readers: Team, editors: Team };
action CreateList, GetLists appliesTo { principal: [User], resource: [Application] };
action GetList, UpdateList, DeleteList, EditShare appliesTo { principal: [User], resource: [List] };
"""
TASKS = """permit(principal, action in [Action::"CreateList", Action::"GetLists"], resource == Application::"TinyTodo");
permit(principal, action, resource is List in Application::"TinyTodo") when { resource.owner == principal };
permit(principal, action == Action::"GetList", resource) when { principal in resource.readers || principal in resource.editors };
permit(principal, action == Action::"UpdateList", resource) when { principal in resource.editors };
"""


def tinytodo(rnd, n):
    app = uid("Application", "TinyTodo")
    out = [entity("Application", "TinyTodo")]
    teams, users, lists = range(max(2, n // 2)), range(n), range(n)
    for i in teams:
        out.append(entity("Team", f"t{i}", {}, [app] + ([uid("Team", f"t{rnd.randrange(i)}")] if i and rnd.random() < 0.3 else [])))
    for i in users:
        out.append(entity("User", f"u{i}", {}, [app, uid("Team", f"t{rnd.choice(teams)}")]))
    for i in lists:
        out.append(entity("List", f"l{i}", {"owner": ref("User", f"u{rnd.choice(users)}"), "readers": ref("Team", f"t{rnd.choice(teams)}"),
                                            "editors": ref("Team", f"t{rnd.choice(teams)}")}, [app]))
    requests = []
    for _ in range(512):
        action = rnd.choice(["CreateList", "GetLists", "GetList", "UpdateList", "DeleteList", "EditShare"])
        on = app if action in ("CreateList", "GetLists") else uid("List", f"l{rnd.choice(lists)}")
        requests.append({"principal": uid("User", f"u{rnd.choice(users)}"), "action": uid("Action", action), "resource": on, "context": {}})
    return TASKS.splitlines(), out, TASKS_SCHEMA, requests


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    scenario, folder = sys.argv[1:3]
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
    rnd = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    if scenario in ("mixed", "anchored", "equality"):
        policies, entities, schema, requests = tools(rnd, scenario, n)
    elif scenario in ("gdrive", "github", "tinytodo"):
        policies, entities, schema, requests = globals()[scenario](rnd, n)
    else:
        sys.exit(__doc__)
    os.makedirs(folder, exist_ok=True)
    for name, text in (("policies.cedar", "\n".join(policies) + "\n"), ("entities.json", json.dumps(entities)),
                       ("schema.cedarschema", schema), ("requests.json", json.dumps(requests))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
