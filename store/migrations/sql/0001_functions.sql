-- The journal: an append-only hash chain over what the ledger said, row by row.
-- Fixed settings, so that a row has one text whatever session writes or checks it.

create function hub.row_json(anyelement) returns jsonb
language sql stable set timezone = 'UTC'
as $$ select to_jsonb($1) $$;

create function hub.journal_hash(seq bigint, at timestamptz, event text, subject text, body text, previous text) returns text
language sql stable set timezone = 'UTC'
as $$
    select encode(sha256(convert_to(concat_ws(chr(10), seq, at, event, subject, body, previous), 'UTF8')), 'hex')
$$;

-- One lock until the transaction ends: the chain has one tail. 7361002 is any fixed number.
create function hub.append_journal(event text, subject text, body jsonb) returns bigint
language plpgsql set timezone = 'UTC'
as $$
declare
    last_seq bigint;
    last_hash text;
    moment timestamptz := clock_timestamp();
begin
    perform pg_advisory_xact_lock(7361002);
    select j.seq, j.hash into last_seq, last_hash from hub.journal j order by j.seq desc limit 1;
    last_seq := coalesce(last_seq, 0) + 1;
    last_hash := coalesce(last_hash, repeat('0', 64));
    insert into hub.journal (seq, at, event, subject, body, previous, hash)
    values (last_seq, moment, event, subject, body::text, last_hash,
            hub.journal_hash(last_seq, moment, event, subject, body::text, last_hash));
    return last_seq;
end
$$;

-- What the gate wrote about a batch beside its row: its rules' results and its quarantine, raw bytes included.
create function hub.gate_digest(batch bigint) returns text
language sql stable set bytea_output = 'hex'
as $$
    select md5(concat_ws('/',
        (select string_agg(r::text, '' order by r.rule_id) from hub.gate_result r where r.batch_id = batch),
        (select md5(string_agg(md5(q::text), '' order by q.row_no)) from hub.quarantine q where q.batch_id = batch)))
$$;

-- Personal values in every view people read: the first character, and stars that do not tell the length.
create function hub.masked(value text) returns text
language sql immutable parallel safe
as $$ select left(value, 1) || '****' $$;

-- A row is visible at a sequence between the load that brought it and the load that replaced it.
create function hub.visible(recorded_from bigint, recorded_to bigint, seq bigint) returns boolean
language sql immutable parallel safe
as $$ select recorded_from <= seq and (recorded_to is null or recorded_to > seq) $$;

insert into hub.clock default values;
