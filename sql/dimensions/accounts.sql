-- Accounts with their name, their time zone and the other settings that hold for them.
-- Grain:   one row per account_id.
-- Counts:  accounts of conversations, of source files, and of settings.csv.
-- Units:   as in account_rules.
-- Source:  ours; account_rules, which is settings.csv.

with known as (
    select distinct account_id from conversations
    union
    select account_id from files where account_id is not null
    union
    select account_id from account_rules where account_id is not null
)

select
    known.account_id,  -- The LivePerson account.
    coalesce(rules.account_name, known.account_id) as account_name,  -- Name of the account, else its id.
    rules.* exclude (account_id, account_name)
from known
join account_rules as rules
    on rules.account_id is not distinct from rules_account(known.account_id)
